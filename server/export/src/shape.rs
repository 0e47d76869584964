//! What a row looks like in each layout: the exact columns that TRL, LLaMA-Factory and Axolotl document.

use crate::ExportError;
use std::borrow::Cow;

/// A training row, whatever its layout.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Instructions and data, and the answer to learn.
    Answer(Asked, String),
    /// And an answer that is better than another; by how many grades.
    Pair(Asked, String, String, f64),
    /// And an answer that is good or not.
    Sided(Asked, String, bool),
}

/// What a model was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Instructions.
    pub system: String,
    /// Data.
    pub user: String,
}

/// A column of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// A list of turns: its name, and what role and text are called in it.
    Turns(&'static str, Keys),
    /// One turn.
    Turn(&'static str, Keys),
    /// Text.
    Text(&'static str),
    /// Yes or no.
    Bool(&'static str),
    /// A number.
    Real(&'static str),
}

impl Column {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Turns(name, _)
            | Self::Turn(name, _)
            | Self::Text(name)
            | Self::Bool(name)
            | Self::Real(name) => name,
        }
    }

    /// What the parts of its turns are called.
    pub(crate) fn keys(self) -> Keys {
        match self {
            Self::Turns(_, keys) | Self::Turn(_, keys) => keys,
            _ => OPENAI,
        }
    }
}

/// What the parts of a turn are called.
pub type Keys = (&'static str, &'static str);

/// What stands in a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// A list of turns, role and text.
    Turns(Vec<(&'static str, &'a str)>),
    /// One turn.
    Turn(&'static str, &'a str),
    /// Text.
    Text(Cow<'a, str>),
    /// Yes or no.
    Bool(bool),
    /// A number.
    Real(f64),
}

const OPENAI: Keys = ("role", "content");
const SHAREGPT: Keys = ("from", "value");

/// A layout and what its rows are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// `trl`, `llama_factory` or `axolotl`.
    pub layout: String,
    /// `sft_chat`, `prompt_completion`, `preference`, `kto`, `reward` or `judge`.
    pub target: String,
}

impl Shape {
    /// The columns, in order.
    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        use Column::{Bool, Real, Text, Turn, Turns};
        let pair =
            |list: &'static str, keys| vec![Turns(list, keys), Turn("chosen", keys), Turn("rejected", keys)];
        match (self.layout.as_str(), self.target.as_str()) {
            ("trl", "sft_chat") | ("axolotl", "sft_chat" | "prompt_completion" | "judge") => {
                vec![Turns("messages", OPENAI)]
            }
            ("trl", "preference") => ["prompt", "chosen", "rejected"].map(|it| Turns(it, OPENAI)).to_vec(),
            ("trl", "reward") => {
                vec![Turns("chosen", OPENAI), Turns("rejected", OPENAI), Real("margin")]
            }
            ("trl", "kto") => vec![Turns("prompt", OPENAI), Turns("completion", OPENAI), Bool("label")],
            ("trl", _) => vec![Turns("prompt", OPENAI), Turns("completion", OPENAI)],
            ("llama_factory", "sft_chat") => vec![Turns("conversations", SHAREGPT), Text("system")],
            ("llama_factory", "kto") => {
                vec![Turns("conversations", SHAREGPT), Text("system"), Bool("kto_tag")]
            }
            ("llama_factory", "preference" | "reward") => {
                let mut columns = pair("conversations", SHAREGPT);
                columns.insert(1, Text("system"));
                columns
            }
            ("llama_factory", _) => ["system", "instruction", "input", "output"].map(Text).to_vec(),
            ("axolotl", "preference") => pair("messages", OPENAI),
            ("axolotl", "kto") => {
                vec![Text("system"), Text("prompt"), Text("completion"), Bool("label")]
            }
            _ => ["system", "input", "chosen", "rejected"].map(Text).to_vec(),
        }
    }

    /// The cells of a record, in the order of the columns.
    ///
    /// # Errors
    /// [`ExportError::Mismatch`] if a record of this kind has no such columns.
    pub fn cells<'a>(&self, record: &'a Record) -> Result<Vec<Cell<'a>>, ExportError> {
        match self.layout.as_str() {
            "trl" => self.trl(record),
            "llama_factory" => self.llama_factory(record),
            _ => self.axolotl(record),
        }
    }

    fn trl<'a>(&self, record: &'a Record) -> Result<Vec<Cell<'a>>, ExportError> {
        let answer = |text: &'a str| Cell::Turns(vec![("assistant", text)]);
        Ok(match (record, self.target.as_str()) {
            (Record::Answer(asked, text), "sft_chat") => vec![asked.whole(text)],
            (Record::Answer(asked, text), "prompt_completion" | "judge") => vec![asked.turns(), answer(text)],
            (Record::Pair(asked, good, bad, _), "preference") => {
                vec![asked.turns(), answer(good), answer(bad)]
            }
            (Record::Pair(asked, good, bad, margin), "reward") => {
                vec![asked.whole(good), asked.whole(bad), Cell::Real(*margin)]
            }
            (Record::Sided(asked, text, good), "kto") => {
                vec![asked.turns(), answer(text), Cell::Bool(*good)]
            }
            _ => return Err(self.mismatch()),
        })
    }

    fn llama_factory<'a>(&self, record: &'a Record) -> Result<Vec<Cell<'a>>, ExportError> {
        let human = |asked: &'a Asked| ("human", asked.user.as_str());
        let both = |asked: &'a Asked, text: &'a str| Cell::Turns(vec![human(asked), ("gpt", text)]);
        let system = |asked: &'a Asked| Cell::Text(asked.system.as_str().into());
        Ok(match (record, self.target.as_str()) {
            (Record::Answer(asked, text), "sft_chat") => vec![both(asked, text), system(asked)],
            (Record::Answer(asked, text), "prompt_completion" | "judge") => {
                let rest = [asked.user.as_str(), "", text].map(|it| Cell::Text(it.into()));
                std::iter::once(system(asked)).chain(rest).collect()
            }
            (Record::Pair(asked, good, bad, _), "preference" | "reward") => {
                let prompt = Cell::Turns(vec![human(asked)]);
                vec![prompt, system(asked), Cell::Turn("gpt", good), Cell::Turn("gpt", bad)]
            }
            (Record::Sided(asked, text, good), "kto") => {
                vec![both(asked, text), system(asked), Cell::Bool(*good)]
            }
            _ => return Err(self.mismatch()),
        })
    }

    fn axolotl<'a>(&self, record: &'a Record) -> Result<Vec<Cell<'a>>, ExportError> {
        let texts = |asked: &'a Asked| [&asked.system, &asked.user].map(|it| Cell::Text(it.as_str().into()));
        Ok(match (record, self.target.as_str()) {
            (Record::Answer(asked, text), "sft_chat" | "prompt_completion" | "judge") => {
                vec![asked.whole(text)]
            }
            (Record::Pair(asked, good, bad, _), "preference") => {
                vec![asked.turns(), Cell::Turn("assistant", good), Cell::Turn("assistant", bad)]
            }
            (Record::Pair(asked, good, bad, _), "reward") => {
                let rest = [good, bad].map(|it| Cell::Text(it.as_str().into()));
                texts(asked).into_iter().chain(rest).collect()
            }
            (Record::Sided(asked, text, good), "kto") => {
                let rest = [Cell::Text(text.as_str().into()), Cell::Bool(*good)];
                texts(asked).into_iter().chain(rest).collect()
            }
            _ => return Err(self.mismatch()),
        })
    }

    fn mismatch(&self) -> ExportError {
        ExportError::Mismatch { layout: self.layout.clone(), target: self.target.clone() }
    }
}

impl Asked {
    fn turns(&self) -> Cell<'_> {
        Cell::Turns(vec![("system", &self.system), ("user", &self.user)])
    }

    fn whole<'a>(&'a self, answer: &'a str) -> Cell<'a> {
        Cell::Turns(vec![("system", &self.system), ("user", &self.user), ("assistant", answer)])
    }
}

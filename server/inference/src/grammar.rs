//! Turns a schema into a matcher that allows exactly the tokens a valid document can go on with.

use std::collections::HashMap;

use concord_domain::ports::ModelError;
use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{InferenceCapabilities, TokEnv};
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};

use crate::schema::BoundedSchema;

/// Compiled grammars kept: requests come with a handful of schemas.
const KEPT: usize = 32;

/// Compiles schemas for one vocabulary.
pub(crate) struct Grammars {
    factory: ParserFactory,
    compiled: HashMap<String, Grammar>,
}

/// A document that is being written under a schema.
pub(crate) struct Grammar {
    pub(crate) matcher: Matcher,
    /// Tokens that close the document from wherever it stands: a token is a byte or more.
    pub(crate) closing_bound: usize,
}

impl Grammars {
    pub(crate) fn new(env: &TokEnv) -> Result<Self, ModelError> {
        let capabilities = InferenceCapabilities { ff_tokens: true, ..Default::default() };
        let mut factory = ParserFactory::new(env, capabilities, &SlicedBiasComputer::general_slices())
            .map_err(|error| ModelError::Failed(error.to_string()))?;
        factory.quiet();
        Ok(Self { factory, compiled: HashMap::new() })
    }

    /// The grammar of a schema, before its first token.
    pub(crate) fn begin(&mut self, schema: &Value) -> Result<Grammar, ModelError> {
        let key = schema.to_string();
        if !self.compiled.contains_key(&key) {
            let grammar = self.compile(schema)?;
            if self.compiled.len() >= KEPT {
                self.compiled.clear();
            }
            self.compiled.insert(key.clone(), grammar);
        }
        match self.compiled.get(&key) {
            Some(Grammar { matcher, closing_bound }) => {
                Ok(Grammar { matcher: matcher.deep_clone(), closing_bound: *closing_bound })
            }
            None => Err(ModelError::Failed("a compiled grammar is gone".to_owned())),
        }
    }

    fn compile(&self, schema: &Value) -> Result<Grammar, ModelError> {
        let mut bounded = BoundedSchema::check(schema)?;
        // No filler white space; no \u escapes, which could spell half a surrogate pair.
        bounded.schema["x-guidance"] = json!({
            "whitespace_flexible": false,
            "item_separator": ",",
            "key_separator": ":",
            "json_allowed_escapes": "nrbtf\"\\",
        });
        let grammar = TopLevelGrammar::from_json_schema(bounded.schema);
        let matcher = Matcher::new(self.factory.create_parser(grammar));
        match matcher.get_error() {
            Some(error) => Err(ModelError::BadRequest(format!("the schema cannot be enforced: {error}"))),
            None => Ok(Grammar { matcher, closing_bound: bounded.closing_bytes }),
        }
    }
}

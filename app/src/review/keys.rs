//! From a key press to a command. Pure: what the browser reports goes in, a command comes out.

/// What the person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Answer that criterion on that side; again cycles through the side's labels.
    Answer {
        criterion: usize,
        pass: bool,
    },
    /// Submit, keep or revise, whichever is due.
    Advance,
    Undo,
    Skip,
    /// Ask a lead.
    Ask,
    /// To the next cited line.
    Evidence,
    Comment,
    Leave,
    Keep,
    Help,
}

/// A key press, as far as it matters.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Press<'a> {
    pub(crate) key: &'a str,
    /// An input method composes, or reported key code 229.
    pub(crate) composing: bool,
    /// Ctrl or Meta.
    pub(crate) ctrl: bool,
    pub(crate) alt: bool,
    /// The focus is where text is typed.
    pub(crate) typing: bool,
    /// The focus is on something that Enter presses: a button or a link.
    pub(crate) pressable: bool,
}

/// Keys that pass, by criterion; as many as a rubric may have (`concord_domain::MAX_CRITERIA`).
const PASS: &str = "12345678";
/// Keys that fail: the letter below on the keyboard.
const FAIL: &str = "qwertyui";

/// The key that passes (or fails) a criterion, for its hint.
pub(crate) fn hint(criterion: usize, pass: bool) -> Option<char> {
    (if pass { PASS } else { FAIL }).chars().nth(criterion)
}

/// The command of a press, if it is one.
pub(crate) fn command(press: Press<'_>) -> Option<Command> {
    if press.composing || press.alt {
        return None;
    }
    if press.typing {
        return (press.key == "Escape").then_some(Command::Leave);
    }
    if press.ctrl {
        return press.key.eq_ignore_ascii_case("z").then_some(Command::Undo);
    }
    let mut chars = press.key.chars();
    if let (Some(letter), None) = (chars.next(), chars.next()) {
        let letter = letter.to_ascii_lowercase();
        if let Some(criterion) = PASS.find(letter) {
            return Some(Command::Answer { criterion, pass: true });
        }
        if let Some(criterion) = FAIL.find(letter) {
            return Some(Command::Answer { criterion, pass: false });
        }
    }
    match press.key {
        "Enter" if !press.pressable => Some(Command::Advance),
        "z" | "Z" => Some(Command::Undo),
        "s" | "S" => Some(Command::Skip),
        "a" | "A" => Some(Command::Ask),
        "x" | "X" => Some(Command::Evidence),
        "c" | "C" => Some(Command::Comment),
        "k" | "K" => Some(Command::Keep),
        "?" | "？" => Some(Command::Help),
        "Escape" => Some(Command::Leave),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(key: &str) -> Press<'_> {
        Press { key, ..Press::default() }
    }

    #[test]
    fn a_digit_passes_and_the_letter_below_it_fails() {
        assert_eq!(command(press("1")), Some(Command::Answer { criterion: 0, pass: true }));
        assert_eq!(command(press("r")), Some(Command::Answer { criterion: 3, pass: false }));
        assert_eq!(command(press("Q")), Some(Command::Answer { criterion: 0, pass: false }));
        assert_eq!((hint(1, true), hint(1, false), hint(7, false)), (Some('2'), Some('w'), Some('i')));
    }

    #[test]
    fn nothing_fires_while_composing_typing_or_with_modifiers() {
        assert_eq!(command(Press { composing: true, ..press("1") }), None);
        assert_eq!(command(Press { typing: true, ..press("1") }), None);
        assert_eq!(command(Press { typing: true, ctrl: true, ..press("z") }), None);
        assert_eq!(command(Press { ctrl: true, ..press("r") }), None);
        assert_eq!(command(Press { alt: true, ..press("q") }), None);
        assert_eq!(command(Press { typing: true, ..press("Escape") }), Some(Command::Leave));
    }

    #[test]
    fn control_z_undoes_and_enter_on_a_button_presses_the_button() {
        assert_eq!(command(Press { ctrl: true, ..press("z") }), Some(Command::Undo));
        assert_eq!(command(press("Enter")), Some(Command::Advance));
        assert_eq!(command(Press { pressable: true, ..press("Enter") }), None);
        assert_eq!(command(press("F5")), None);
        assert_eq!((command(press("a")), command(press("X"))), (Some(Command::Ask), Some(Command::Evidence)));
    }
}

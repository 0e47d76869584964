//! One style sheet out of many: `@import` lines are replaced by the files they name.
//!
//! Understands what our own style sheets use, `@import "file.css";` and
//! `@import "file.css" layer(name);` on a line of its own, and refuses the rest.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// The style sheet with every import in place, in order.
pub(crate) fn bundle(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        match line.trim().strip_prefix("@import") {
            None => {
                out.push_str(line);
                out.push('\n');
            }
            Some(rest) => {
                let Some((name, layer)) = import(rest) else {
                    bail!("{}: an import that bundle does not know: {line}", file.display());
                };
                let imported = bundle(&folder.join(name))?;
                match layer {
                    Some(layer) => out.push_str(&format!("@layer {layer} {{\n{imported}}}\n")),
                    None => out.push_str(&imported),
                }
            }
        }
    }
    Ok(out)
}

/// File and layer of what stands behind `@import`.
fn import(rest: &str) -> Option<(&str, Option<&str>)> {
    let rest = rest.trim().strip_suffix(';')?.trim();
    let (source, tail) = match rest.strip_prefix("url(") {
        Some(inner) => inner.split_once(')')?,
        None => rest.split_at(rest.rfind(['"', '\''])? + 1),
    };
    let name = source.trim().trim_matches(['"', '\'']);
    let tail = tail.trim();
    if tail.is_empty() {
        return Some((name, None));
    }
    let layer = tail.strip_prefix("layer(")?.strip_suffix(')')?;
    Some((name, Some(layer.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_replaced_in_order_and_layers_kept() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
        write("main.css", "@import \"tokens.css\";\n@import url('ui.css') layer(ui);\np { margin: 0 }\n");
        write("tokens.css", ":root { --gap: 4px }\n");
        write("ui.css", "button { color: red }\n");

        let css = bundle(&folder.path().join("main.css")).expect("bundled");

        assert_eq!(css, ":root { --gap: 4px }\n@layer ui {\nbutton { color: red }\n}\np { margin: 0 }\n");
    }

    #[test]
    fn an_import_with_a_media_query_is_refused() {
        assert_eq!(import(" \"a.css\" screen;"), None);
        assert_eq!(import(" \"a.css\""), None, "no semicolon");
    }
}

//! Rows as JSON Lines.

use crate::shape::{Cell, Column, Keys};
use std::io::Write;

/// Appends a row as one line.
///
/// # Errors
/// A text that cannot be written as JSON, which none is.
pub(crate) fn line(out: &mut Vec<u8>, columns: &[Column], cells: &[Cell<'_>]) -> serde_json::Result<()> {
    let mut before = b'{';
    for (column, cell) in columns.iter().zip(cells) {
        out.push(before);
        before = b',';
        write!(out, "\"{}\":", column.name()).map_err(serde_json::Error::io)?;
        match cell {
            Cell::Turns(turns) => {
                let mut before = b'[';
                for (role, text) in turns {
                    out.push(before);
                    before = b',';
                    turn(out, column.keys(), role, text)?;
                }
                out.push(b']');
            }
            Cell::Turn(role, text) => turn(out, column.keys(), role, text)?,
            Cell::Text(text) => serde_json::to_writer(&mut *out, text.as_ref())?,
            Cell::Bool(value) => serde_json::to_writer(&mut *out, value)?,
            Cell::Real(value) => serde_json::to_writer(&mut *out, value)?,
        }
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

fn turn(out: &mut Vec<u8>, (role_key, text_key): Keys, role: &str, text: &str) -> serde_json::Result<()> {
    write!(out, "{{\"{role_key}\":\"{role}\",\"{text_key}\":").map_err(serde_json::Error::io)?;
    serde_json::to_writer(&mut *out, text)?;
    out.push(b'}');
    Ok(())
}

//! Mends what binaryen up to 108 (Debian 12's) breaks: it writes index 0 for every exported table.
//!
//! rustc's wasm has two tables, functions and JavaScript values, and wasm-bindgen exports the second:
//! the page then dies at its first `table.set`. The order of the tables stays, so the right index is
//! the one from before. With a later binaryen nothing is left to mend.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use wasmparser::{ExternalKind, Parser, Payload, RefType};

/// A module's tables by type, and its exported ones: name to index and to where that index stands.
#[derive(Debug, PartialEq, Eq)]
struct Tables {
    types: Vec<RefType>,
    exported: BTreeMap<String, (u32, usize)>,
}

/// Gives every exported table of `optimised` the index that it has in `bound`.
pub(crate) fn mend(bound: &[u8], optimised: &mut [u8]) -> Result<()> {
    let (before, after) = (tables(bound)?, tables(optimised)?);
    ensure!(before.types == after.types, "wasm-opt changed the tables, which bundle cannot follow");
    for (name, (_, position)) in after.exported {
        let (index, _) = before.exported.get(&name).with_context(|| format!("a new table {name}"))?;
        // One byte holds it: a module has two or three tables.
        ensure!(*index < 128 && optimised[position] < 128, "too many tables");
        optimised[position] = u8::try_from(*index)?;
    }
    Ok(())
}

fn tables(module: &[u8]) -> Result<Tables> {
    let mut found = Tables { types: Vec::new(), exported: BTreeMap::new() };
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::TableSection(section) => {
                for table in section {
                    found.types.push(table?.ty.element_type);
                }
            }
            Payload::ExportSection(section) => {
                for entry in section.into_iter_with_offsets() {
                    let (offset, export) = entry?;
                    if export.kind == ExternalKind::Table {
                        // The name's length, the name, the kind, then the index.
                        let position = offset + leb_bytes(export.name.len()) + export.name.len() + 1;
                        found.exported.insert(export.name.to_owned(), (export.index, position));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// How many bytes a number takes in LEB128.
fn leb_bytes(number: usize) -> usize {
    (usize::BITS - number.max(1).leading_zeros()).div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tables, functions and values; `values` is exported with this index.
    fn module(index: u8) -> Vec<u8> {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        bytes.extend([4, 7, 2, 0x70, 0, 1, 0x6f, 0, 1]);
        bytes.extend([7, 10, 1, 6]);
        bytes.extend(b"values");
        bytes.extend([1, index]);
        bytes
    }

    #[test]
    fn a_table_gets_back_the_index_it_had() {
        let mut optimised = module(0);
        mend(&module(1), &mut optimised).expect("mended");
        assert_eq!(optimised, module(1));
    }

    #[test]
    fn a_right_index_stays() {
        let mut optimised = module(1);
        mend(&module(1), &mut optimised).expect("nothing to mend");
        assert_eq!(optimised, module(1));
    }
}

//! `.br` and `.gz` twins at the highest quality: compressed once here, never in a request.

use anyhow::Result;
use flate2::{Compression, write::GzEncoder};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file and its sizes in bytes.
pub(crate) struct Twin {
    pub(crate) file: PathBuf,
    pub(crate) raw: usize,
    pub(crate) gzip: u64,
    pub(crate) brotli: u64,
}

/// What compresses; pictures and fonts are compressed already.
const TEXTS: [&str; 8] = ["js", "css", "wasm", "svg", "html", "json", "txt", "webmanifest"];

/// Compresses every text below a folder; gives them by path.
pub(crate) fn tree(folder: &Path) -> Result<Vec<Twin>> {
    let mut twins = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            twins.extend(tree(&path)?);
        } else if path.extension().is_some_and(|end| TEXTS.iter().any(|text| end == *text)) {
            twins.push(twin(path)?);
        }
    }
    Ok(twins)
}

fn twin(file: PathBuf) -> Result<Twin> {
    let content = fs::read(&file)?;

    let brotli_path = beside(&file, "br");
    let params = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 24, ..Default::default() };
    let mut out = File::create(&brotli_path)?;
    brotli::BrotliCompress(&mut content.as_slice(), &mut out, &params)?;

    let gzip_path = beside(&file, "gz");
    let mut out = GzEncoder::new(File::create(&gzip_path)?, Compression::best());
    out.write_all(&content)?;
    out.finish()?;

    Ok(Twin {
        raw: content.len(),
        gzip: fs::metadata(gzip_path)?.len(),
        brotli: fs::metadata(brotli_path)?.len(),
        file,
    })
}

/// `concord.js` → `concord.js.br`.
fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn twins_unpack_to_the_same_bytes() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let text = "body { margin: 0 } ".repeat(500);
        fs::create_dir(folder.path().join("pkg")).expect("folder");
        fs::write(folder.path().join("pkg/a.css"), &text).expect("written");
        fs::write(folder.path().join("logo.png"), [0_u8; 64]).expect("written");

        let twins = tree(folder.path()).expect("compressed");

        assert_eq!(twins.len(), 1, "only the text");
        assert!(twins[0].brotli < twins[0].raw as u64);
        let mut unpacked = Vec::new();
        let br = fs::read(folder.path().join("pkg/a.css.br")).expect("brotli twin");
        brotli::BrotliDecompress(&mut br.as_slice(), &mut unpacked).expect("brotli");
        assert_eq!(unpacked, text.as_bytes());
        let gz = File::open(folder.path().join("pkg/a.css.gz")).expect("gzip twin");
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(gz).read_to_string(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, text);
    }
}

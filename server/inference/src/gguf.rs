//! Reads a GGUF file: checked metadata, checked tensor shapes, slow quantisations replaced.
//!
//! The bytes may be a stranger's repack. The catalogue pins their hash; nevertheless every size is
//! compared with what the metadata promises, and a file that lies is refused with the reason.

use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

/// Why a weight file cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LoadError(pub(crate) String);

impl From<candle_core::Error> for LoadError {
    fn from(error: candle_core::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for LoadError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// An open GGUF file.
pub(crate) struct Gguf {
    pub(crate) content: Content,
    reader: BufReader<File>,
}

impl Gguf {
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 20, file);
        // candle checks counts and lengths against the file's; an alignment of 0 it divides by, and panics.
        let content = catch_unwind(AssertUnwindSafe(|| Content::read(&mut reader)))
            .map_err(|_| LoadError("the file's header cannot be read".to_owned()))??;
        let opened = Self { content, reader };
        opened.check_places(length)?;
        Ok(opened)
    }

    /// Every tensor lies within the file: none points outside, and no product of dimensions overflows.
    fn check_places(&self, length: u64) -> Result<(), LoadError> {
        for (name, info) in &self.content.tensor_infos {
            let elements = info.shape.dims().iter().try_fold(1_usize, |all, it| all.checked_mul(*it));
            let end = elements
                .map(|elements| elements.div_ceil(info.ggml_dtype.block_size()))
                .and_then(|blocks| blocks.checked_mul(info.ggml_dtype.type_size()))
                .and_then(|bytes| u64::try_from(bytes).ok())
                .and_then(|bytes| {
                    bytes.checked_add(info.offset)?.checked_add(self.content.tensor_data_offset)
                });
            if end.is_none_or(|end| end > length) {
                return Err(LoadError(format!("tensor {name} does not lie within the file")));
            }
        }
        Ok(())
    }

    pub(crate) fn value(&self, key: &str) -> Result<&Value, LoadError> {
        self.content.metadata.get(key).ok_or_else(|| LoadError(format!("the file lacks {key}")))
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str, LoadError> {
        Ok(self.value(key)?.to_string()?)
    }

    /// A count that must lie in `1..=max`: a lying one must not become an allocation.
    pub(crate) fn count(&self, key: &str, max: usize) -> Result<usize, LoadError> {
        let found = self.value(key)?.to_u64()?;
        match usize::try_from(found) {
            Ok(count) if (1..=max).contains(&count) => Ok(count),
            _ => Err(LoadError(format!("{key} is {found}, expected 1 to {max}"))),
        }
    }

    pub(crate) fn float(&self, key: &str) -> Result<f32, LoadError> {
        let found = self.value(key)?.to_f32()?;
        if found.is_finite() && found > 0.0 {
            Ok(found)
        } else {
            Err(LoadError(format!("{key} is {found}, expected a positive number")))
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// A weight matrix of exactly this shape, in a quantisation with fast kernels.
    pub(crate) fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<QTensor, LoadError> {
        self.check_shape(name, &[rows, columns])?;
        let tensor = self.content.tensor(&mut self.reader, name, &Device::Cpu)?;
        // candle has only scalar kernels for these: 8 bits cost memory and are 3 to 5 times faster.
        let slow =
            matches!(tensor.dtype(), GgmlDType::Q4_1 | GgmlDType::Q5_0 | GgmlDType::Q5_1 | GgmlDType::Q8_1);
        if slow {
            return Ok(QTensor::quantize(&tensor.dequantize(&Device::Cpu)?, GgmlDType::Q8_0)?);
        }
        Ok(tensor)
    }

    /// A vector of exactly this length, as f32.
    pub(crate) fn vector(&mut self, name: &str, length: usize) -> Result<Tensor, LoadError> {
        self.check_shape(name, &[length])?;
        Ok(self.content.tensor(&mut self.reader, name, &Device::Cpu)?.dequantize(&Device::Cpu)?)
    }

    fn check_shape(&self, name: &str, expected: &[usize]) -> Result<(), LoadError> {
        let Some(info) = self.content.tensor_infos.get(name) else {
            return Err(LoadError(format!("the file lacks the tensor {name}")));
        };
        let found = info.shape.dims();
        if found == expected {
            Ok(())
        } else {
            Err(LoadError(format!("tensor {name} has the shape {found:?}, expected {expected:?}")))
        }
    }
}

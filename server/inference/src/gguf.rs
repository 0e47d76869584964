//! Reads a GGUF file: checked metadata, checked tensor shapes, weights packed for the kernels.
//!
//! The bytes may be a stranger's repack. The catalogue pins their hash; nevertheless every size is
//! compared with what the metadata promises, and a file that lies is refused with the reason.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, Value};
use concord_kernels::{Format, Matrix, Pool};

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

    /// A weight matrix of exactly this shape, packed for the kernels. The file's bytes are read, packed and dropped:
    /// no second copy of the weights stays.
    pub(crate) fn matrix(
        &mut self,
        pool: &mut Pool,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<Matrix, LoadError> {
        self.check_shape(name, &[rows, columns])?;
        let format = match self.content.tensor_infos[name].ggml_dtype {
            GgmlDType::Q4K => Some(Format::Q4K),
            GgmlDType::Q6K => Some(Format::Q6K),
            GgmlDType::Q4_0 => Some(Format::Q4Zero),
            GgmlDType::Q4_1 => Some(Format::Q4One),
            GgmlDType::Q5_0 => Some(Format::Q5Zero),
            GgmlDType::Q8_0 => Some(Format::Q8Zero),
            _ => None,
        };
        let packed = match format {
            Some(format) => {
                let bytes = self.bytes(name)?;
                Matrix::pack(pool, format, &bytes, rows, columns)
            }
            // The rest has no tiles of its own: rounded to 8 bits, which costs memory and keeps what there is.
            None => {
                let floats = self.content.tensor(&mut self.reader, name, &Device::Cpu)?;
                let floats = floats.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
                let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
                Matrix::pack(pool, Format::F32, &bytes, rows, columns)
            }
        };
        packed.map_err(|error| LoadError(format!("tensor {name}: {error}")))
    }

    /// A tensor's bytes as they lie in the file.
    fn bytes(&mut self, name: &str) -> Result<Vec<u8>, LoadError> {
        let info = &self.content.tensor_infos[name];
        let blocks = info.shape.elem_count() / info.ggml_dtype.block_size();
        // `check_places` has seen that it lies within the file.
        let mut bytes = vec![0; blocks * info.ggml_dtype.type_size()];
        self.reader.seek(SeekFrom::Start(self.content.tensor_data_offset + info.offset))?;
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// A vector of exactly this length, as f32.
    pub(crate) fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, LoadError> {
        self.check_shape(name, &[length])?;
        let tensor = self.content.tensor(&mut self.reader, name, &Device::Cpu)?;
        Ok(tensor.dequantize(&Device::Cpu)?.to_vec1()?)
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

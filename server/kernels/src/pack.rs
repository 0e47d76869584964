//! Repacks the rows of a weight file into tiles.

use half::f16;

use crate::pool::Pool;
use crate::tile::{PAIR, ROWS, SMALL, SUPER, Tile4, Tile4One, Tile6, Tile8};

/// How the bytes of a weight file are laid out; ggml's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 4 bits, scales and minima of 32, in blocks of 256.
    Q4K,
    /// 6 bits, scales of 16, in blocks of 256.
    Q6K,
    /// 4 bits with a scale for each 32.
    Q4Zero,
    /// 4 bits with a scale and a minimum for each 32.
    Q4One,
    /// 5 bits with a scale for each 32.
    Q5Zero,
    /// 8 bits with a scale for each 32.
    Q8Zero,
    /// Plain floats, which become 8 bits with a scale for each 32.
    F32,
}

impl Format {
    /// Columns and bytes of a block.
    #[must_use]
    pub fn block(self) -> (usize, usize) {
        match self {
            Self::Q4K => (SUPER, 144),
            Self::Q6K => (SUPER, 210),
            Self::Q4Zero => (SMALL, 18),
            Self::Q4One => (SMALL, 20),
            Self::Q5Zero => (SMALL, 22),
            Self::Q8Zero => (SMALL, 34),
            Self::F32 => (SMALL, 4 * SMALL),
        }
    }
}

/// Why rows cannot be packed.
#[derive(Debug, PartialEq, Eq)]
pub enum PackError {
    /// The columns do not fill the blocks of the kernels.
    Columns(usize),
    /// The bytes are not those of so many rows.
    Bytes(usize),
}

impl std::fmt::Display for PackError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Columns(columns) => write!(out, "{columns} columns are not a multiple of {PAIR}"),
            Self::Bytes(bytes) => write!(out, "{bytes} bytes are not the matrix's"),
        }
    }
}

impl std::error::Error for PackError {}

/// A matrix of quantised weights, `rows` outputs by `columns` inputs.
pub struct Matrix {
    pub(crate) tiles: Tiles,
    rows: usize,
    columns: usize,
}

/// Tiles in the order they are read: along a row of tiles, then the next 16 rows.
pub(crate) enum Tiles {
    Four(Vec<Tile4>),
    Six(Vec<Tile6>),
    FourOne(Vec<Tile4One>),
    Eight(Vec<Tile8>),
}

impl Tiles {
    /// Columns of activations that share a scale where these weights read them.
    pub(crate) fn block(&self) -> usize {
        match self {
            Self::Four(_) | Self::Six(_) => SUPER,
            Self::FourOne(_) | Self::Eight(_) => SMALL,
        }
    }
}

impl Matrix {
    /// Packs the rows of a weight file.
    ///
    /// # Errors
    /// When sizes do not fit.
    pub fn pack(
        pool: &mut Pool,
        format: Format,
        bytes: &[u8],
        rows: usize,
        columns: usize,
    ) -> Result<Self, PackError> {
        let (width, size) = format.block();
        let tile = if matches!(format, Format::Q4K | Format::Q6K) { SUPER } else { PAIR };
        if columns == 0 || !columns.is_multiple_of(tile) {
            return Err(PackError::Columns(columns));
        }
        let row_bytes = columns / width * size;
        if rows == 0 || rows.checked_mul(row_bytes) != Some(bytes.len()) {
            return Err(PackError::Bytes(bytes.len()));
        }
        let (across, down) = (columns / tile, rows.div_ceil(ROWS));
        let source = |row: usize| (row < rows).then(|| &bytes[row * row_bytes..][..row_bytes]);
        let tiles = match format {
            Format::Q4K => Tiles::Four(fill(pool, Tile4::ZERO, across, down, source, four)),
            Format::Q6K => Tiles::Six(fill(pool, Tile6::ZERO, across, down, source, six)),
            Format::Q4One => Tiles::FourOne(fill(pool, Tile4One::ZERO, across, down, source, four_one)),
            _ => Tiles::Eight(fill(pool, Tile8::ZERO, across, down, source, |tile, row, at, bytes| {
                eight(format, tile, row, at, bytes);
            })),
        };
        Ok(Self { tiles, rows, columns })
    }

    /// Outputs.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes it takes: what a pass over it reads.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.tiles {
            Tiles::Four(tiles) => std::mem::size_of_val(tiles.as_slice()),
            Tiles::Six(tiles) => std::mem::size_of_val(tiles.as_slice()),
            Tiles::FourOne(tiles) => std::mem::size_of_val(tiles.as_slice()),
            Tiles::Eight(tiles) => std::mem::size_of_val(tiles.as_slice()),
        }
    }

    /// One row as floats: an embedding.
    ///
    /// # Panics
    /// When there is no such row, or `out` is not one row long.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.rows && out.len() == self.columns, "row {row} of {}", self.rows);
        let (first, lane) = (row / ROWS, row % ROWS);
        match &self.tiles {
            Tiles::Four(tiles) => read(tiles, SUPER, first, out, |tile, at| tile.get(lane, at)),
            Tiles::Six(tiles) => read(tiles, SUPER, first, out, |tile, at| tile.get(lane, at)),
            Tiles::FourOne(tiles) => read(tiles, PAIR, first, out, |tile, at| tile.get(lane, at)),
            Tiles::Eight(tiles) => read(tiles, PAIR, first, out, |tile, at| tile.get(lane, at)),
        }
    }
}

fn read<T>(tiles: &[T], width: usize, row: usize, out: &mut [f32], get: impl Fn(&T, usize) -> f32) {
    let across = out.len() / width;
    for (out, tile) in out.chunks_mut(width).zip(&tiles[row * across..]) {
        out.iter_mut().enumerate().for_each(|(at, out)| *out = get(tile, at));
    }
}

/// Tiles of all rows; `put` writes the part of one row that lies in a tile.
fn fill<'a, T: Clone + Send>(
    pool: &mut Pool,
    zero: T,
    across: usize,
    down: usize,
    source: impl Fn(usize) -> Option<&'a [u8]> + Sync,
    put: impl Fn(&mut T, usize, usize, &[u8]) + Sync,
) -> Vec<T> {
    let mut tiles = vec![zero; across * down];
    // Some rows of tiles a task: a large table has ten thousand.
    let some = down.div_ceil(1024);
    pool.chunks(&mut tiles, across * some, |task, tiles| {
        for (part, tiles) in tiles.chunks_mut(across).enumerate() {
            let first = (task * some + part) * ROWS;
            for lane in 0..ROWS {
                if let Some(row) = source(first + lane) {
                    tiles.iter_mut().enumerate().for_each(|(at, tile)| put(tile, lane, at, row));
                }
            }
        }
    });
    tiles
}

fn four(tile: &mut Tile4, row: usize, at: usize, bytes: &[u8]) {
    let block = &bytes[at * 144..][..144];
    tile.d[row] = u16::from_le_bytes([block[0], block[1]]);
    tile.dmin[row] = u16::from_le_bytes([block[2], block[3]]);
    let packed = &block[4..16];
    for sub in 0..8 {
        // ggml keeps eight scales and eight minima of 6 bits in 12 bytes.
        let (scale, min) = if sub < 4 {
            (packed[sub] & 63, packed[sub + 4] & 63)
        } else {
            let (low, a, b) = (packed[sub + 4], packed[sub - 4], packed[sub]);
            (low & 15 | a >> 6 << 4, low >> 4 | b >> 6 << 4)
        };
        tile.scales[sub][row] = scale;
        tile.mins[sub / 2][row * 2 + sub % 2] = min;
    }
    for (chunk, quants) in block[16..].chunks_exact(32).enumerate() {
        for (at, quant) in quants.iter().enumerate() {
            tile.set(row, chunk * 64 + at, quant & 15);
            tile.set(row, chunk * 64 + 32 + at, quant >> 4);
        }
    }
}

fn six(tile: &mut Tile6, row: usize, at: usize, bytes: &[u8]) {
    let block = &bytes[at * 210..][..210];
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    tile.d[row] = u16::from_le_bytes([block[208], block[209]]);
    for (sub, scale) in scales.iter().enumerate() {
        tile.scales[sub][row] = scale.cast_signed();
    }
    for half in 0..2 {
        for at in 0..32 {
            let (first, second) = (low[half * 64 + at], low[half * 64 + 32 + at]);
            let high = high[half * 32 + at];
            let parts = [first & 15, second & 15, first >> 4, second >> 4];
            for (part, below) in parts.into_iter().enumerate() {
                tile.set(row, half * 128 + part * 32 + at, below | (high >> (2 * part) & 3) << 4);
            }
        }
    }
}

fn four_one(tile: &mut Tile4One, row: usize, at: usize, bytes: &[u8]) {
    for half in 0..2 {
        let block = &bytes[(at * 2 + half) * 20..][..20];
        tile.d[half][row] = u16::from_le_bytes([block[0], block[1]]);
        tile.min[half][row] = u16::from_le_bytes([block[2], block[3]]);
        for (at, quant) in block[4..].iter().enumerate() {
            tile.set(row, half * SMALL + at, quant & 15);
            tile.set(row, half * SMALL + 16 + at, quant >> 4);
        }
    }
}

fn eight(format: Format, tile: &mut Tile8, row: usize, at: usize, bytes: &[u8]) {
    let (_, size) = format.block();
    for half in 0..2 {
        let block = &bytes[(at * 2 + half) * size..][..size];
        let mut quants = [0_i8; SMALL];
        let d = match format {
            Format::F32 => {
                let floats: [f32; SMALL] = std::array::from_fn(|at| {
                    f32::from_le_bytes([
                        block[4 * at],
                        block[4 * at + 1],
                        block[4 * at + 2],
                        block[4 * at + 3],
                    ])
                });
                let greatest = floats.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
                let d = f16::from_f32(greatest / 127.0);
                let scale = if d.to_f32() > 0.0 { 1.0 / d.to_f32() } else { 0.0 };
                for (quant, float) in quants.iter_mut().zip(floats) {
                    *quant = (float * scale).round().clamp(-127.0, 127.0) as i8;
                }
                d.to_bits()
            }
            Format::Q8Zero => {
                quants.iter_mut().zip(&block[2..]).for_each(|(quant, byte)| *quant = byte.cast_signed());
                u16::from_le_bytes([block[0], block[1]])
            }
            Format::Q5Zero => {
                let high = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
                for at in 0..16 {
                    let byte = block[6 + at];
                    let upper = |at: usize| ((high >> at & 1) << 4) as u8;
                    quants[at] = (byte & 15 | upper(at)).cast_signed() - 16;
                    quants[at + 16] = (byte >> 4 | upper(at + 16)).cast_signed() - 16;
                }
                u16::from_le_bytes([block[0], block[1]])
            }
            Format::Q4Zero | Format::Q4One | Format::Q4K | Format::Q6K => {
                for at in 0..16 {
                    quants[at] = (block[2 + at] & 15).cast_signed() - 8;
                    quants[at + 16] = (block[2 + at] >> 4).cast_signed() - 8;
                }
                u16::from_le_bytes([block[0], block[1]])
            }
        };
        tile.d[half][row] = d;
        // The product's sums allow no -128; a file that holds one loses a 127th of that weight.
        quants
            .iter()
            .enumerate()
            .for_each(|(at, quant)| tile.set(row, half * SMALL + at, (*quant).max(-127)));
    }
}

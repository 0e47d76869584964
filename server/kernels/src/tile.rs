//! The layouts of weights: 16 rows side by side, so that one instruction works on all of them.

/// Rows of a tile.
pub(crate) const ROWS: usize = 16;

/// Columns of a tile of K-quantised weights.
pub(crate) const SUPER: usize = 256;

/// Columns of a tile of weights with a scale for each 32.
pub(crate) const PAIR: usize = 64;

/// Columns that share such a scale.
pub(crate) const SMALL: usize = 32;

/// Q4_K: 16 rows of 256 four-bit weights, `d · scale · q - dmin · min`.
#[repr(C, align(64))]
#[derive(Clone)]
pub(crate) struct Tile4 {
    /// For each eight columns, each row's four bytes: column `j` below, column `j + 4` above.
    pub(crate) quants: [[u8; 64]; 32],
    /// For each 32 columns, each row's scale.
    pub(crate) scales: [[u8; ROWS]; 8],
    /// For each two times 32 columns, each row's two minima.
    pub(crate) mins: [[u8; 2 * ROWS]; 4],
    pub(crate) d: [u16; ROWS],
    pub(crate) dmin: [u16; ROWS],
}

/// Q6_K: 16 rows of 256 six-bit weights, `d · scale · (q - 32)`.
#[repr(C, align(64))]
#[derive(Clone)]
pub(crate) struct Tile6 {
    /// For each 16 columns, the lower four bits: of the four fours of columns, two in each 64 bytes.
    pub(crate) low: [[[u8; 64]; 2]; 16],
    /// For each 16 columns, the upper two bits of its four fours.
    pub(crate) high: [[u8; 64]; 16],
    /// For each 16 columns, each row's scale.
    pub(crate) scales: [[i8; ROWS]; 16],
    pub(crate) d: [u16; ROWS],
}

/// Q4_1: 16 rows of 64 four-bit weights, `d · q + min`, with a `d` and a `min` for each 32.
#[repr(C, align(64))]
#[derive(Clone)]
pub(crate) struct Tile4One {
    /// For each eight columns, each row's four bytes: column `j` below, column `j + 4` above.
    pub(crate) quants: [[[u8; 64]; 4]; 2],
    pub(crate) d: [[u16; ROWS]; 2],
    pub(crate) min: [[u16; ROWS]; 2],
}

/// Q8_0: 16 rows of 64 eight-bit weights, `d · (q - 128)`, with a `d` for each 32.
#[repr(C, align(64))]
#[derive(Clone)]
pub(crate) struct Tile8 {
    /// For each four columns, each row's four bytes.
    pub(crate) quants: [[[u8; 64]; 8]; 2],
    pub(crate) d: [[u16; ROWS]; 2],
}

impl Tile4 {
    pub(crate) const ZERO: Self = Self {
        quants: [[0; 64]; 32],
        scales: [[0; ROWS]; 8],
        mins: [[0; 2 * ROWS]; 4],
        d: [0; ROWS],
        dmin: [0; ROWS],
    };

    pub(crate) fn set(&mut self, row: usize, column: usize, quant: u8) {
        let (group, at) = (column / 8, column % 8);
        self.quants[group][row * 4 + at % 4] |= quant << (4 * (at / 4));
    }

    pub(crate) fn get(&self, row: usize, column: usize) -> f32 {
        let (group, at, sub) = (column / 8, column % 8, column / 32);
        let quant = self.quants[group][row * 4 + at % 4] >> (4 * (at / 4)) & 15;
        let scale = f32::from(self.scales[sub][row]) * wide(self.d[row]);
        let min = f32::from(self.mins[sub / 2][row * 2 + sub % 2]) * wide(self.dmin[row]);
        scale * f32::from(quant) - min
    }
}

impl Tile6 {
    pub(crate) const ZERO: Self =
        Self { low: [[[0; 64]; 2]; 16], high: [[0; 64]; 16], scales: [[0; ROWS]; 16], d: [0; ROWS] };

    pub(crate) fn set(&mut self, row: usize, column: usize, quant: u8) {
        let (sub, four, at) = (column / 16, column % 16 / 4, row * 4 + column % 4);
        self.low[sub][four / 2][at] |= (quant & 15) << (4 * (four % 2));
        self.high[sub][at] |= (quant >> 4) << (2 * four);
    }

    pub(crate) fn get(&self, row: usize, column: usize) -> f32 {
        let (sub, four, at) = (column / 16, column % 16 / 4, row * 4 + column % 4);
        let low = self.low[sub][four / 2][at] >> (4 * (four % 2)) & 15;
        let quant = low | (self.high[sub][at] >> (2 * four) & 3) << 4;
        wide(self.d[row]) * f32::from(self.scales[sub][row]) * (f32::from(quant) - 32.0)
    }
}

impl Tile4One {
    pub(crate) const ZERO: Self = Self { quants: [[[0; 64]; 4]; 2], d: [[0; ROWS]; 2], min: [[0; ROWS]; 2] };

    pub(crate) fn set(&mut self, row: usize, column: usize, quant: u8) {
        let (half, group, at) = (column / SMALL, column % SMALL / 8, column % 8);
        self.quants[half][group][row * 4 + at % 4] |= quant << (4 * (at / 4));
    }

    pub(crate) fn get(&self, row: usize, column: usize) -> f32 {
        let (half, group, at) = (column / SMALL, column % SMALL / 8, column % 8);
        let quant = self.quants[half][group][row * 4 + at % 4] >> (4 * (at / 4)) & 15;
        wide(self.d[half][row]) * f32::from(quant) + wide(self.min[half][row])
    }
}

impl Tile8 {
    /// Zeros: a weight is stored 128 too high.
    pub(crate) const ZERO: Self = Self { quants: [[[128; 64]; 8]; 2], d: [[0; ROWS]; 2] };

    pub(crate) fn set(&mut self, row: usize, column: usize, quant: i8) {
        let (half, at) = (column / SMALL, column % SMALL);
        self.quants[half][at / 4][row * 4 + at % 4] = quant.cast_unsigned() ^ 0x80;
    }

    pub(crate) fn get(&self, row: usize, column: usize) -> f32 {
        let (half, at) = (column / SMALL, column % SMALL);
        let quant = f32::from(self.quants[half][at / 4][row * 4 + at % 4]) - 128.0;
        wide(self.d[half][row]) * quant
    }
}

fn wide(bits: u16) -> f32 {
    half::f16::from_bits(bits).to_f32()
}

//! Which vector instructions this machine has, asked when the program runs.

/// A set of instructions that this machine is known to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The best set this machine has.
    #[must_use]
    pub fn detect() -> Self {
        Self::all().pop().unwrap_or(Self(Level::Portable))
    }

    /// Every set this machine has, the best last.
    #[must_use]
    pub fn all() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "other machines have one set"))]
        let mut found = vec![Self(Level::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx2") && has!("fma") && has!("f16c") {
                found.push(Self(Level::Avx2));
                if has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512vnni") {
                    found.push(Self(Level::Avx512));
                }
            }
        }
        found
    }

    /// Its name, for logs and benches.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "AVX-512 VNNI",
        }
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }
}

/// Compiles one generic function for every set of instructions, and picks one by an [`Isa`].
macro_rules! versions {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $kind:ty),* $(,)?) = $body:ident) => {
        $(#[$doc])*
        // Each feature is enabled only where an `Isa` says that the machine has it, and only `Isa::all` makes those.
        #[allow(unsafe_code, reason = "calls functions compiled for instructions that were detected")]
        #[allow(clippy::too_many_arguments, reason = "the arguments of the kernel")]
        $vis fn $name(isa: crate::isa::Isa, $($arg: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
                fn wide($($arg: $kind),*) {
                    $body::<crate::simd_avx512::Avx512>($($arg),*);
                }
                #[target_feature(enable = "avx2,fma,f16c")]
                fn middle($($arg: $kind),*) {
                    $body::<crate::simd_avx2::Avx2>($($arg),*);
                }
                match isa.level() {
                    crate::isa::Level::Avx512 => return unsafe { wide($($arg),*) },
                    crate::isa::Level::Avx2 => return unsafe { middle($($arg),*) },
                    crate::isa::Level::Portable => {}
                }
            }
            $body::<crate::simd::Portable>($($arg),*);
        }
    };
}
pub(crate) use versions;

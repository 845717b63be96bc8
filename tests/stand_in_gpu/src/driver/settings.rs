//! What the stand-in pretends to be, from environment variables.

/// The card that is stood in for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `STAND_IN_GPU_MEMORY`: bytes on the card, 4 GiB without it.
    pub memory_bytes: u64,
    /// `STAND_IN_GPU_CONTEXT`: bytes that a context takes outside any pool, none without it.
    pub context_bytes: u64,
    /// `STAND_IN_GPU_OTHERS`, such as `5000 1000000`: from the five-thousandth allocation on another
    /// program holds a million bytes. Nobody without it.
    pub others_later: Option<(u64, u64)>,
    /// `STAND_IN_GPU_CAPABILITY`: compute capability, 8.6 without it.
    pub capability: (u32, u32),
    /// `STAND_IN_GPU_NAME`.
    pub name: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory_bytes: 4 << 30,
            context_bytes: 0,
            others_later: None,
            capability: (8, 6),
            name: "Stand-in GPU".to_owned(),
        }
    }
}

impl Settings {
    /// What the environment says, and where it is silent or not understood the usual.
    pub fn from_environment() -> Self {
        let usual = Self::default();
        let read = |name: &str| std::env::var(name).ok();
        let bytes = |name: &str| read(name).and_then(|value| value.trim().parse().ok());
        let capability = read("STAND_IN_GPU_CAPABILITY").and_then(|value| {
            let (major, minor) = value.trim().split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        });
        Self {
            memory_bytes: bytes("STAND_IN_GPU_MEMORY").unwrap_or(usual.memory_bytes),
            context_bytes: bytes("STAND_IN_GPU_CONTEXT").unwrap_or(usual.context_bytes),
            others_later: read("STAND_IN_GPU_OTHERS").and_then(|value| {
                let (after, bytes) = value.trim().split_once(' ')?;
                Some((after.parse().ok()?, bytes.parse().ok()?))
            }),
            capability: capability.unwrap_or(usual.capability),
            name: read("STAND_IN_GPU_NAME").unwrap_or(usual.name),
        }
    }

    /// 86 for 8.6.
    pub fn architecture(&self) -> u32 {
        self.capability.0 * 10 + self.capability.1
    }

    /// How much shared memory a block may take when its kernel asks for more than usual.
    pub fn most_shared_bytes(&self) -> u32 {
        (match self.architecture() {
            ..75 => 48,
            75..80 => 64,
            80 | 87 => 163,
            81..90 => 99,
            90..120 => 227,
            _ => 99,
        }) * 1024
    }
}

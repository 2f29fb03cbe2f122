//! What checking one stored password may cost at most: a hostile import must not stall binds.

/// Longest password taken from a client, in bytes. SHA-crypt's cost grows with it.
pub const MAX_PASSWORD: usize = 1024;

/// Longest stored value that is looked at, in bytes.
pub const MAX_STORED: usize = 4096;

/// How many values of one entry's `userPassword` are tried.
pub const MAX_VALUES: usize = 8;

/// SHA-crypt rounds; common settings are 5 000 to 656 000.
pub const MAX_CRYPT_ROUNDS: u32 = 1_000_000;

/// bcrypt's cost is a power of two; common settings are 5 to 14.
pub const MAX_BCRYPT_COST: u32 = 15;

/// PBKDF2 iterations, counted once per block of output; 389 DS stores eight blocks.
pub const MAX_PBKDF2_ROUNDS: u32 = 2_000_000;

/// Memory of one Argon2 hash.
pub const MAX_ARGON2_MEMORY_KIB: u32 = 256 * 1024;

/// Memory times passes of one Argon2 hash: its running time.
pub const MAX_ARGON2_WORK_KIB: u64 = 2 * 1024 * 1024;

/// Lanes of one Argon2 hash.
pub const MAX_ARGON2_PARALLELISM: u32 = 64;

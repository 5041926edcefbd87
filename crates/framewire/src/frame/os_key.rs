//! Masking keys from the operating system.

use std::cell::RefCell;

/// How many bytes are drawn at a time: 64 keys, and the most that the kernel gives without a chance of being
/// interrupted.
const POOL: usize = 256;

struct Pool {
    bytes: [u8; POOL],
    used: usize,
}

thread_local! {
    static KEYS: RefCell<Pool> = const {
        RefCell::new(Pool { bytes: [0; POOL], used: POOL })
    };
}

/// Returns a masking key from the operating system's entropy (RFC 6455 5.3). Each is given out once.
///
/// Keys are drawn 64 at a time into 256 bytes per thread, so that 63 of 64 cost no system call. `None` where the
/// operating system has no entropy to give, or the thread is being torn down. After a fork only one of the two
/// processes should go on writing: both have the same keys.
#[must_use]
pub fn os_key() -> Option<[u8; 4]> {
    KEYS.try_with(|pool| pool.borrow_mut().draw()).ok()?
}

impl Pool {
    fn draw(&mut self) -> Option<[u8; 4]> {
        if self.used == POOL {
            getrandom::fill(&mut self.bytes).ok()?;
            self.used = 0;
        }
        let key = self.bytes[self.used..].first_chunk().copied()?;
        self.used += key.len();
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_key_is_given_out_twice_in_a_row_of_pools() {
        let keys: HashSet<_> = (0..4 * POOL).map(|_| os_key().unwrap()).collect();
        // 1,024 draws of 32 bits collide once in 8,000 runs, and twice never.
        assert!(keys.len() >= 4 * POOL - 1);
    }
}

//! A memory of callers that cannot grow beyond what was set aside for it.
//!
//! Callers are known by the hash of what names them, under a key that is new at every start: nobody can choose names
//! that meet. Where there is no room for one more, what no longer matters is forgotten; where everything still matters,
//! all is, in favour of the callers. It knows nothing of what it remembers.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Threads seldom meet at one of so many locks.
const SHARDS: usize = 16;

/// Entries of one shard.
const MOST: usize = 4096;

pub(super) struct Memory<V> {
    names: RandomState,
    shards: [Mutex<HashMap<u64, V>>; SHARDS],
}

impl<V> Default for Memory<V> {
    fn default() -> Memory<V> {
        Memory {
            names: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl<V> Memory<V> {
    pub fn key(&self, name: impl Hash) -> u64 {
        self.names.hash_one(name)
    }

    /// Where a key is kept, with room for it.
    pub fn place(&self, key: u64, over: impl Fn(&V) -> bool) -> MutexGuard<'_, HashMap<u64, V>> {
        let mut shard = self.shards[key as usize % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= MOST && !shard.contains_key(&key) {
            shard.retain(|_, value| !over(value));
            // A little room only would be looked for again at once.
            if shard.len() > MOST / 4 * 3 {
                shard.clear();
            }
        }
        shard
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().unwrap().len())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bounds_and_forgets_what_is_over_first() {
        let memory = Memory::<bool>::default();
        let kept = memory.key("kept");
        memory.place(kept, |_| false).insert(kept, false);
        // One lasting entry among as many passing ones as there is room for in its shard.
        let mut key = kept;
        for _ in 1..MOST {
            key = key.wrapping_add(SHARDS as u64);
            memory.place(key, |over| *over).insert(key, true);
        }
        assert_eq!(memory.len(), MOST);
        key = key.wrapping_add(SHARDS as u64);
        memory.place(key, |over| *over).insert(key, true);
        assert_eq!(memory.len(), 2);
        assert!(memory.place(kept, |_| false).contains_key(&kept));
        for name in 0..3 * MOST * SHARDS {
            let key = memory.key(name);
            memory.place(key, |_| false).insert(key, false);
        }
        assert!(memory.len() <= MOST * SHARDS);
    }
}

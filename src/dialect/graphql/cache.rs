//! The plans of documents that came before: programs send few texts, again and again.
//!
//! Each thread has its own, bounded in entries and in bytes. A program that pastes each message into its document asks
//! for thousands of plans, and none of them twice: a plan is kept when its text comes for the second time, so that texts
//! that come once push out nothing. Plans that depend on the values of variables are not kept.

use std::cell::RefCell;
use std::fmt::{self, Debug, Formatter};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::rc::Rc;

use quick_cache::unsync::Cache as Kept;
use quick_cache::{Equivalent, Weighter};

use super::document::Failure;
use super::plan::{self, Node};
use super::values::Variables;
use super::{Plan, Service};

const MAX_ENTRIES: usize = 512;
const MAX_BYTES: u64 = 4 << 20;
/// Longer texts are planned each time.
const MAX_TEXT: usize = 4_096;

/// What is left of a byte of text when it is planned: values, names and keys, beside the fields themselves.
const BYTES_OF_TEXT: usize = 32;

/// Texts that came once, by their hashes; a later one of the same place takes it.
const MAX_SEEN: usize = 1_024;

pub struct Cache {
    plans: RefCell<Kept<Key, Rc<Plan>, Weight>>,
    seen: RefCell<Box<[u64]>>,
    hasher: RandomState,
}

/// A document at a service, with the operation that is meant.
#[derive(PartialEq, Eq)]
struct Key {
    /// Of all the others, made once: texts are long.
    hash: u64,
    /// The service's address: two dialects' doors may have one number, and a service stays where it is.
    service: usize,
    text: Box<str>,
    name: Box<str>,
}

/// The same, borrowed.
struct Wanted<'a> {
    hash: u64,
    service: usize,
    text: &'a str,
    name: &'a str,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.service == key.service && *self.text == *key.text && *self.name == *key.name
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Rc<Plan>> for Weight {
    fn weight(&self, key: &Key, plan: &Rc<Plan>) -> u64 {
        let text = (key.text.len() + key.name.len()) * BYTES_OF_TEXT;
        let bytes = (text + plan.nodes * size_of::<Node>()) as u64;
        // Entries are bounded by what each weighs at least.
        bytes.max(MAX_BYTES / MAX_ENTRIES as u64)
    }
}

impl Default for Cache {
    fn default() -> Cache {
        let kept = Kept::with_weighter(MAX_ENTRIES, MAX_BYTES, Weight);
        Cache {
            plans: RefCell::new(kept),
            seen: RefCell::new(vec![0; MAX_SEEN].into()),
            hasher: RandomState::new(),
        }
    }
}

impl Debug for Cache {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "Cache({} plans)", self.plans.borrow().len())
    }
}

impl Cache {
    /// The plan of a document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn plan(
        &self,
        service: &Service,
        text: &str,
        name: &str,
        variables: &Variables,
        post: bool,
    ) -> Result<Rc<Plan>, Failure> {
        if text.len().max(name.len()) > MAX_TEXT {
            return Plan::new(service, text, name, variables, post).map(Rc::new);
        }
        let service_at = std::ptr::from_ref(service).addr();
        let wanted = Wanted {
            hash: self.hasher.hash_one((service_at, text, name)),
            service: service_at,
            text,
            name,
        };
        if let Some(plan) = self.plans.borrow().get(&wanted) {
            return plan::forbidden(plan.operation, post).map(|()| plan.clone());
        }
        let plan = Rc::new(Plan::new(service, text, name, variables, post)?);
        if plan.lasting && self.came_before(&wanted) {
            let key = Key {
                hash: wanted.hash,
                service: wanted.service,
                text: text.into(),
                name: name.into(),
            };
            self.plans.borrow_mut().insert(key, plan.clone());
        }
        Ok(plan)
    }

    fn came_before(&self, wanted: &Wanted<'_>) -> bool {
        let hash = wanted.hash;
        let place = &mut self.seen.borrow_mut()[hash as usize % MAX_SEEN];
        std::mem::replace(place, hash) == hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USED: &str = "{ myself { username } }";

    fn dialect() -> crate::dialect::Dialect {
        let mut builtin = crate::dialect::builtin::BUILTIN.iter();
        let (name, source, schema) = builtin.find(|(name, ..)| *name == "glimesh").unwrap();
        crate::dialect::builtin::compile(name, source, *schema).unwrap()
    }

    #[test]
    fn texts_that_come_once_do_not_push_out_what_is_used() {
        let dialect = dialect();
        let (cache, none) = (Cache::default(), Variables::default());
        let plan = |text: &str| {
            cache
                .plan(&dialect.services[0], text, "", &none, true)
                .unwrap()
        };
        plan(USED);
        let used = plan(USED);
        assert!(Rc::ptr_eq(&used, &plan(USED)), "it is not kept at all");
        let long = " ".repeat(MAX_TEXT - USED.len() - 8);
        for number in 0..5_000 {
            plan(&format!("#{number}\n{USED}"));
            plan(&format!("#{number}\n{USED}{long}"));
        }
        assert!(Rc::ptr_eq(&used, &plan(USED)), "it was pushed out");
    }

    #[test]
    fn what_comes_twice_is_kept_within_bounds() {
        let dialect = dialect();
        let (cache, none) = (Cache::default(), Variables::default());
        let long = " ".repeat(MAX_TEXT - USED.len() - 8);
        for number in 0..2_000 {
            for text in [
                format!("#{number}\n{USED}"),
                format!("#{number}\n{USED}{long}"),
            ] {
                for _ in 0..2 {
                    cache
                        .plan(&dialect.services[0], &text, "", &none, true)
                        .unwrap();
                }
            }
        }
        let kept = cache.plans.borrow();
        assert!(kept.len() <= MAX_ENTRIES, "{} entries", kept.len());
        assert!(kept.weight() <= MAX_BYTES, "{} bytes", kept.weight());
    }

    #[test]
    fn a_plan_is_one_services_alone() {
        let (one, other) = (dialect(), dialect());
        let (cache, none) = (Cache::default(), Variables::default());
        let plan = |dialect: &crate::dialect::Dialect| {
            let service = &dialect.services[0];
            cache.plan(service, USED, "", &none, true).unwrap()
        };
        plan(&one);
        plan(&other);
        assert!(Rc::ptr_eq(&plan(&one), &plan(&one)), "it is not kept");
        assert!(!Rc::ptr_eq(&plan(&one), &plan(&other)), "it is shared");
    }

    #[test]
    fn a_text_and_a_name_are_two_things() {
        let wanted = |text, name| Wanted {
            hash: 0,
            service: 0,
            text,
            name,
        };
        let key = Key {
            hash: 0,
            service: 0,
            text: "ab".into(),
            name: "c".into(),
        };
        assert!(wanted("ab", "c").equivalent(&key));
        assert!(!wanted("a", "bc").equivalent(&key));
        assert!(!wanted("abc", "").equivalent(&key));
    }
}

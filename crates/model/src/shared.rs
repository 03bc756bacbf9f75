//! A value that is written as JSON once and sent many times.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// Cheap to clone; ten thousand viewers of one state cost one serialisation. Only for JSON: another format would write the text of it.
#[derive(Debug)]
pub struct Shared<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    value: T,
    /// Made when it is first asked for; nothing when the value is no JSON.
    json: OnceLock<Option<Box<RawValue>>>,
}

impl<T> Shared<T> {
    pub fn new(value: T) -> Self {
        let json = OnceLock::new();
        Self(Arc::new(Inner { value, json }))
    }

    /// Its JSON, written when it is first asked for; nothing when the value is none.
    pub fn json(&self) -> Option<&str>
    where
        T: Serialize,
    {
        self.raw().map(RawValue::get)
    }

    fn raw(&self) -> Option<&RawValue>
    where
        T: Serialize,
    {
        let Inner { value, json } = &*self.0;
        json.get_or_init(|| to_raw_value(value).ok()).as_deref()
    }

    /// The value itself, copied only when it is shared.
    pub fn into_value(self) -> T
    where
        T: Clone,
    {
        Arc::try_unwrap(self.0).map_or_else(|shared| shared.value.clone(), |own| own.value)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.value == other.0.value
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.raw() {
            Some(text) => text.serialize(serializer),
            // Tells the caller what is wrong with it.
            None => self.0.value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn it_is_written_as_the_value_and_read_back() {
        let value = vec![(1_i64, 0.5), (2, f64::MIN_POSITIVE)];
        let nested = serde_json::to_string(&[Shared::new(value.clone())]).expect("json");
        assert_eq!(nested, serde_json::to_string(&[&value]).expect("json"));
        let back: Vec<Shared<Vec<(i64, f64)>>> = serde_json::from_str(&nested).expect("read back");
        assert_eq!(*back[0], value);
        assert_eq!(back[0].clone().into_value(), value);
    }

    #[test]
    fn however_often_it_is_sent_it_is_serialised_once() {
        static WRITTEN: AtomicU32 = AtomicU32::new(0);
        struct Counted;
        impl Serialize for Counted {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                WRITTEN.fetch_add(1, Ordering::Relaxed);
                serializer.serialize_u8(7)
            }
        }
        let shared = Shared::new(Counted);
        let copies = [shared.clone(), shared.clone(), shared];
        assert_eq!(serde_json::to_string(&copies).expect("json"), "[7,7,7]");
        assert_eq!(copies[1].json(), Some("7"));
        assert_eq!(WRITTEN.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_is_no_json_says_so_and_why() {
        let shared = Shared::new(std::collections::HashMap::from([(vec![1], 2)]));
        assert_eq!(shared.json(), None);
        let error = serde_json::to_string(&shared).expect_err("a list is no key");
        assert!(error.to_string().contains("key"), "{error}");
    }
}

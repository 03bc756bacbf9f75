//! All paths of a mapping as one tree, and the walk of a record along it.

use std::fmt;

use dash_model::PathStep;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::MAX_DEPTH;

/// Node 0 is the record itself.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// Children by key, sorted by length and then by bytes.
    keys: Vec<(Box<[u8]>, usize)>,
    /// Children by place in an array, sorted.
    places: Vec<(usize, usize)>,
}

/// The JSON text found at each node of a trie, for one record at a time.
#[derive(Debug, Default)]
pub(super) struct Found<'r>(Vec<Option<&'r str>>);

impl Default for Trie {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
        }
    }
}

impl Node {
    /// The place of a key among the children, or the one where it belongs. Most keys of a record are none of them, and most of those
    /// differ in length from each: their bytes are not looked at.
    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.keys
            .binary_search_by(|(k, _)| k.len().cmp(&key.len()).then_with(|| (**k).cmp(key)))
    }
}

impl<'r> Found<'r> {
    pub fn get(&self, node: usize) -> Option<&'r str> {
        self.0.get(node).copied().flatten()
    }
}

impl Trie {
    /// The node at the end of these steps; it is made when it is not there.
    pub fn insert(&mut self, steps: &[PathStep]) -> usize {
        let mut at = 0;
        for step in steps {
            let next = self.nodes.len();
            let node = &mut self.nodes[at];
            let child = match step {
                PathStep::Key(key) => match node.find(key.as_bytes()) {
                    Ok(i) => node.keys[i].1,
                    Err(i) => {
                        node.keys.insert(i, (key.as_bytes().into(), next));
                        next
                    }
                },
                PathStep::Index(place) => match node.places.binary_search_by_key(place, |p| p.0) {
                    Ok(i) => node.places[i].1,
                    Err(i) => {
                        node.places.insert(i, (*place, next));
                        next
                    }
                },
            };
            if child == next {
                self.nodes.push(Node::default());
            }
            at = child;
        }
        at
    }

    /// Finds the text of every node in `raw`, or says why this is no record.
    ///
    /// Each object is gone through to its end before any of its values is entered: so the last of equal keys wins,
    /// with everything below it, and nothing of an overwritten value is ever looked at.
    pub fn read<'r>(&self, raw: &'r [u8], found: &mut Found<'r>) -> Result<(), String> {
        found.0.clear();
        found.0.resize(self.nodes.len(), None);
        let text = std::str::from_utf8(raw).map_err(|e| format!("it is not UTF-8 from byte {} on", e.valid_up_to()))?;
        if is_too_deep(raw) {
            return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        let first = text.trim_ascii_start().bytes().next();
        let arrays = !self.nodes[0].places.is_empty();
        match first {
            Some(b'{') => {}
            Some(b'[') if arrays => {}
            _ => {
                serde_json::from_str::<IgnoredAny>(text).map_err(|e| format!("it is not JSON: {e}"))?;
                let expected = if arrays { "an object or an array" } else { "an object" };
                return Err(format!(
                    "expected {expected}, found {}",
                    super::value::describe(text.trim())
                ));
            }
        }
        self.walk(0, text, found).map_err(|e| format!("it is not JSON: {e}"))
    }

    fn walk<'r>(&self, node: usize, text: &'r str, found: &mut Found<'r>) -> serde_json::Result<()> {
        let mut de = serde_json::Deserializer::from_str(text);
        Scan {
            node: &self.nodes[node],
            found,
        }
        .deserialize(&mut de)?;
        de.end()?;
        let node = &self.nodes[node];
        for &child in node
            .keys
            .iter()
            .map(|(_, c)| c)
            .chain(node.places.iter().map(|(_, c)| c))
        {
            let below = &self.nodes[child];
            match found.get(child) {
                Some(inner) if inner.starts_with('{') && !below.keys.is_empty() => self.walk(child, inner, found)?,
                Some(inner) if inner.starts_with('[') && !below.places.is_empty() => self.walk(child, inner, found)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// True when objects and arrays stand in one another more than [`MAX_DEPTH`] times.
fn is_too_deep(raw: &[u8]) -> bool {
    let opening = raw.iter().filter(|b| matches!(b, b'{' | b'[')).count();
    if opening <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for b in raw {
        if in_text {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match b {
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Goes through one object or array and keeps the text of the children that have a node.
struct Scan<'t, 'f, 'r> {
    node: &'t Node,
    found: &'f mut Found<'r>,
}

impl<'de> DeserializeSeed<'de> for Scan<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        de.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scan<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(child) = map.next_key_seed(Key(self.node))? {
            match child {
                Some(child) => self.found.0[child] = Some(map.next_value::<&'de RawValue>()?.get()),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut place = 0;
        let mut wanted = self.node.places.iter().peekable();
        loop {
            match wanted.peek() {
                Some(&&(at, child)) if at == place => {
                    wanted.next();
                    let Some(raw) = seq.next_element::<&'de RawValue>()? else {
                        break;
                    };
                    self.found.0[child] = Some(raw.get());
                }
                _ => {
                    if seq.next_element::<IgnoredAny>()?.is_none() {
                        break;
                    }
                }
            }
            place += 1;
        }
        Ok(())
    }
}

/// Looks a key up by its bytes: a key with a lone surrogate is no text, yet no reason to refuse the record either.
struct Key<'t>(&'t Node);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<Option<usize>, D::Error> {
        de.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E: Error>(self, key: &[u8]) -> Result<Option<usize>, E> {
        Ok(self.0.find(key).ok().map(|i| self.0.keys[i].1))
    }
}

//! What a mapping means, record by record.

use std::collections::BTreeMap;

use dash_model::{
    PathStep,
    mapping::{FieldType, Mapping},
};
use serde_json::Value;

use super::generate::NAMES;

/// A small grammar of expressions, with their text and their meaning.
#[derive(Clone, Debug)]
pub enum E {
    Name(&'static str),
    Integer(i64),
    Float(f64),
    Text(String),
    Null,
    Arithmetic(Box<E>, char, Box<E>),
    Negative(Box<E>),
    Compare(Box<E>, &'static str, Box<E>),
    And(Box<E>, Box<E>),
    Or(Box<E>, Box<E>),
    Not(Box<E>),
    IsNull(Box<E>),
    Between(Box<E>, Box<E>, Box<E>),
    In(Box<E>, Vec<E>),
    Case(Vec<(E, E)>, Box<E>),
    Coalesce(Box<E>, Box<E>),
    NullIf(Box<E>, Box<E>),
    ToFloat(Box<E>),
    Like(Box<E>, String),
}

impl E {
    pub fn sql(&self) -> String {
        match self {
            E::Name(n) => (*n).into(),
            E::Integer(n) => format!("({n})"),
            E::Float(x) => format!("({x:?})"),
            E::Text(t) => format!("'{}'", t.replace('\'', "''")),
            E::Null => "NULL".into(),
            E::Arithmetic(a, op, b) => format!("({} {op} {})", a.sql(), b.sql()),
            E::Negative(a) => format!("(- {})", a.sql()),
            E::Compare(a, op, b) => format!("({} {op} {})", a.sql(), b.sql()),
            E::And(a, b) => format!("({} AND {})", a.sql(), b.sql()),
            E::Or(a, b) => format!("({} OR {})", a.sql(), b.sql()),
            E::Not(a) => format!("(NOT {})", a.sql()),
            E::IsNull(a) => format!("({} IS NULL)", a.sql()),
            E::Between(x, a, b) => format!("({} BETWEEN {} AND {})", x.sql(), a.sql(), b.sql()),
            E::In(x, list) => {
                let list: Vec<String> = list.iter().map(E::sql).collect();
                format!("({} IN ({}))", x.sql(), list.join(", "))
            }
            E::Case(whens, e) => {
                let whens: Vec<String> = whens
                    .iter()
                    .map(|(c, r)| format!("WHEN {} THEN {}", c.sql(), r.sql()))
                    .collect();
                format!("(CASE {} ELSE {} END)", whens.join(" "), e.sql())
            }
            E::Coalesce(a, b) => format!("COALESCE({}, {})", a.sql(), b.sql()),
            E::NullIf(a, b) => format!("NULLIF({}, {})", a.sql(), b.sql()),
            E::ToFloat(a) => format!("CAST({} AS DOUBLE)", a.sql()),
            E::Like(a, p) => format!("({} LIKE '{p}')", a.sql()),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum V {
    Null,
    Float(f64),
    Integer(i64),
    Boolean(bool),
    Text(String),
}

/// The expression has no result.
#[derive(Debug, PartialEq)]
struct Fault;

/// The type that an expression has whatever the row: `Some(true)` is float, `Some(false)` integer, `None` NULL or no number.
fn is_float(e: &E) -> Option<bool> {
    let meet = |a: Option<bool>, b: Option<bool>| match (a, b) {
        (Some(a), Some(b)) => Some(a || b),
        (a, b) => a.or(b),
    };
    match e {
        E::Name("x") | E::Float(_) | E::ToFloat(_) => Some(true),
        E::Name("i") | E::Integer(_) => Some(false),
        E::Arithmetic(a, op, b) => Some(*op == '/' || is_float(a) != Some(false) || is_float(b) != Some(false)),
        E::Negative(a) => Some(is_float(a) != Some(false)),
        E::Case(whens, e) => whens.iter().fold(is_float(e), |t, (_, r)| meet(t, is_float(r))),
        E::Coalesce(a, b) => meet(is_float(a), is_float(b)),
        E::NullIf(a, _) => is_float(a),
        _ => None,
    }
}

type Row = BTreeMap<&'static str, V>;

fn eval(e: &E, row: &Row) -> Result<V, Fault> {
    Ok(match (value(e, row)?, is_float(e)) {
        (V::Integer(n), Some(true)) => V::Float(n as f64),
        (v, _) => v,
    })
}

fn value(e: &E, row: &Row) -> Result<V, Fault> {
    let truth = |v: V| match v {
        V::Boolean(b) => Some(b),
        V::Null => None,
        other => panic!("{other:?} is no boolean"),
    };
    let from = |t: Option<bool>| t.map_or(V::Null, V::Boolean);
    Ok(match e {
        E::Name(n) => row[n].clone(),
        E::Integer(n) => V::Integer(*n),
        E::Float(x) => V::Float(*x),
        E::Text(t) => V::Text(t.clone()),
        E::Null => V::Null,
        E::Arithmetic(a, op, b) => match (eval(a, row)?, eval(b, row)?) {
            (V::Null, _) | (_, V::Null) => V::Null,
            (V::Integer(a), V::Integer(b)) if *op != '/' => V::Integer(
                match op {
                    '+' => a.checked_add(b),
                    '-' => a.checked_sub(b),
                    '*' => a.checked_mul(b),
                    _ => a.checked_rem(b),
                }
                .ok_or(Fault)?,
            ),
            (a, b) => {
                let (a, b) = (number(&a), number(&b));
                let x = match op {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    '/' => a / b,
                    _ => a % b,
                };
                if !x.is_finite() {
                    return Err(Fault);
                }
                V::Float(x)
            }
        },
        E::Negative(a) => match eval(a, row)? {
            V::Null => V::Null,
            V::Integer(n) => V::Integer(n.checked_neg().ok_or(Fault)?),
            v => V::Float(-number(&v)),
        },
        E::Compare(a, op, b) => from(compare(&eval(a, row)?, op, &eval(b, row)?)),
        E::And(a, b) => match truth(eval(a, row)?) {
            Some(false) => V::Boolean(false),
            a => match (a, truth(eval(b, row)?)) {
                (_, Some(false)) => V::Boolean(false),
                (Some(true), b) => from(b),
                _ => V::Null,
            },
        },
        E::Or(a, b) => match truth(eval(a, row)?) {
            Some(true) => V::Boolean(true),
            a => match (a, truth(eval(b, row)?)) {
                (_, Some(true)) => V::Boolean(true),
                (Some(false), b) => from(b),
                _ => V::Null,
            },
        },
        E::Not(a) => from(truth(eval(a, row)?).map(|b| !b)),
        E::IsNull(a) => V::Boolean(eval(a, row)? == V::Null),
        E::Between(x, a, b) => {
            let low = E::Compare(x.clone(), ">=", a.clone());
            let high = E::Compare(x.clone(), "<=", b.clone());
            eval(&E::And(low.into(), high.into()), row)?
        }
        E::In(x, list) => {
            let x = eval(x, row)?;
            let mut answer = Some(false);
            for item in list {
                match compare(&x, "=", &eval(item, row)?) {
                    Some(true) => return Ok(V::Boolean(true)),
                    None => answer = None,
                    Some(false) => {}
                }
            }
            from(answer)
        }
        E::Case(whens, otherwise) => {
            for (c, r) in whens {
                if truth(eval(c, row)?) == Some(true) {
                    return eval(r, row);
                }
            }
            eval(otherwise, row)?
        }
        E::Coalesce(a, b) => match eval(a, row)? {
            V::Null => eval(b, row)?,
            v => v,
        },
        E::NullIf(a, b) => {
            let (a, b) = (eval(a, row)?, eval(b, row)?);
            if compare(&a, "=", &b) == Some(true) { V::Null } else { a }
        }
        E::ToFloat(a) => match eval(a, row)? {
            V::Null => V::Null,
            V::Text(t) => V::Float(text_number(&t).ok_or(Fault)?),
            V::Boolean(b) => V::Float(if b { 1.0 } else { 0.0 }),
            v => V::Float(number(&v)),
        },
        E::Like(a, pattern) => match eval(a, row)? {
            V::Null => V::Null,
            V::Text(t) => V::Boolean(like(&t, pattern)),
            other => panic!("{other:?} is no text"),
        },
    })
}

/// Patterns of the grammar are a text, perhaps with a `%` at its end.
fn like(text: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('%') {
        Some(head) => text.starts_with(head),
        None => text == pattern,
    }
}

fn number(v: &V) -> f64 {
    match v {
        V::Float(x) => *x,
        V::Integer(n) => *n as f64,
        other => panic!("{other:?} is no number"),
    }
}

fn compare(a: &V, op: &str, b: &V) -> Option<bool> {
    let order = match (a, b) {
        (V::Null, _) | (_, V::Null) => return None,
        (V::Integer(a), V::Integer(b)) => a.cmp(b),
        (V::Text(a), V::Text(b)) => a.cmp(b),
        (V::Boolean(a), V::Boolean(b)) => a.cmp(b),
        (a, b) => number(a).partial_cmp(&number(b)).expect("finite"),
    };
    Some(match op {
        "=" => order.is_eq(),
        "<>" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })
}

fn text_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    text.parse().ok().filter(|x: &f64| plain && x.is_finite())
}

fn at<'v>(value: &'v Value, steps: &[PathStep]) -> Option<&'v Value> {
    steps.iter().try_fold(value, |v, step| match step {
        PathStep::Key(k) => v.as_object()?.get(k),
        PathStep::Index(i) => v.as_array()?.get(*i),
    })
}

fn read(value: Option<&Value>, ty: FieldType) -> Result<V, ()> {
    let whole = |x: f64| (x.fract() == 0.0 && x.abs() < 9e15).then_some(x as i64).ok_or(());
    Ok(match (value.unwrap_or(&Value::Null), ty) {
        (Value::Null, _) => V::Null,
        (Value::Array(_) | Value::Object(_), _) => return Err(()),
        (Value::Number(n), FieldType::Float) => V::Float(n.as_f64().ok_or(())?),
        (Value::Bool(b), FieldType::Float) => V::Float(f64::from(u8::from(*b))),
        (Value::String(t), FieldType::Float) => V::Float(text_number(t).ok_or(())?),
        (Value::Number(n), FieldType::Integer) => {
            V::Integer(n.as_i64().map_or_else(|| whole(n.as_f64().ok_or(())?), Ok)?)
        }
        (Value::String(t), FieldType::Integer) => V::Integer(whole(text_number(t).ok_or(())?)?),
        (Value::Bool(_), FieldType::Integer) => return Err(()),
        (Value::Bool(b), FieldType::Boolean) => V::Boolean(*b),
        (Value::Number(n), FieldType::Boolean) => match n.as_f64() {
            Some(0.0) => V::Boolean(false),
            Some(1.0) => V::Boolean(true),
            _ => return Err(()),
        },
        (Value::String(t), FieldType::Boolean) => match (t.trim().to_ascii_lowercase().as_str(), text_number(t)) {
            ("true", _) | (_, Some(1.0)) => V::Boolean(true),
            ("false", _) | (_, Some(0.0)) => V::Boolean(false),
            _ => return Err(()),
        },
        (Value::String(t), FieldType::String) => V::Text(t.clone()),
        (other, FieldType::String) => V::Text(other.to_string()),
    })
}

/// Metric, tags, value.
pub type Made = (String, BTreeMap<String, String>, f64);

#[derive(Debug, PartialEq)]
pub enum Told {
    Mapped(Vec<Made>),
    Filtered,
    /// The fields that the reasons name.
    Quarantined(Vec<String>),
}

/// What the calculated fields of a mapping mean.
pub struct Meaning {
    pub numeric: E,
    pub filter: Option<E>,
}

pub fn naive(mapping: &Mapping, meaning: &Meaning, record: &Value) -> Told {
    if !record.is_object() {
        return Told::Quarantined(vec!["record".into()]);
    }
    let mut row = Row::new();
    let mut wrong = Vec::new();
    for (f, name) in mapping.fields.iter().zip(NAMES) {
        match read(at(record, f.path.steps()), f.ty) {
            Ok(v) => {
                row.insert(name, v);
            }
            Err(()) => wrong.push(f.path.to_string()),
        }
    }
    let mut values = Vec::new();
    for m in mapping.metrics.iter().filter(|m| m.path.is_some()) {
        let path = m.path.as_ref().expect("path");
        match read(at(record, path.steps()), m.ty) {
            Ok(v) => values.push(v),
            Err(()) => wrong.push(path.to_string()),
        }
    }
    let mut tags = BTreeMap::new();
    for t in mapping.tags.iter().filter(|t| t.path.is_some()) {
        let path = t.path.as_ref().expect("path");
        match read(at(record, path.steps()), FieldType::String) {
            Ok(V::Text(v)) if !v.is_empty() => {
                tags.insert(t.name.clone(), v);
            }
            Ok(_) => {}
            Err(()) => wrong.push(path.to_string()),
        }
    }
    if !wrong.is_empty() {
        wrong.sort();
        wrong.dedup();
        return Told::Quarantined(wrong);
    }
    match meaning.filter.as_ref().map(|f| eval(f, &row)) {
        None | Some(Ok(V::Boolean(true))) => {}
        Some(Ok(_)) => return Told::Filtered,
        Some(Err(Fault)) => return Told::Quarantined(vec!["filter".into()]),
    }
    let (mut made, mut values) = (Vec::new(), values.into_iter());
    for m in &mapping.metrics {
        let label = m.path.as_ref().map_or_else(|| m.name.clone(), ToString::to_string);
        let value = match &m.path {
            Some(_) => Ok(values.next().expect("a value")),
            None => eval(&meaning.numeric, &row),
        };
        match value {
            Err(Fault) => wrong.push(label),
            Ok(V::Null) if m.required => wrong.push(label),
            Ok(V::Null) => {}
            Ok(v) => {
                let x = if let V::Boolean(b) = v {
                    f64::from(u8::from(b))
                } else {
                    number(&v)
                };
                let x = if m.scale == 1.0 && m.offset == 0.0 {
                    x
                } else {
                    x * m.scale + m.offset
                };
                if x.is_finite() {
                    made.push((m.name.clone(), tags.clone(), x));
                } else {
                    wrong.push(label);
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    match (wrong.is_empty(), made.is_empty()) {
        (false, _) => Told::Quarantined(wrong),
        (true, true) => Told::Quarantined(vec!["record".into()]),
        (true, false) => Told::Mapped(made),
    }
}

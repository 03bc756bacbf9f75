//! The plan against a second opinion: a row-by-row evaluator over `serde_json::Value` that shares no code with it.

use std::collections::BTreeMap;

use dash_model::{
    EventSeq, PathStep,
    mapping::{Field, FieldType, Mapping, MetricRule, TagRule},
    record::RecordSet,
};
use dash_transform::{Input, Plan};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json};

use crate::support::{RECEIVED, check_sums};

/// A small grammar of expressions, with their text and their meaning.
#[derive(Clone, Debug)]
enum E {
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
    fn sql(&self) -> String {
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
type Made = (String, BTreeMap<String, String>, f64);

#[derive(Debug, PartialEq)]
enum Told {
    Mapped(Vec<Made>),
    Filtered,
    /// The fields that the reasons name.
    Quarantined(Vec<String>),
}

/// What the calculated fields of a mapping mean.
struct Meaning {
    numeric: E,
    filter: Option<E>,
}

fn naive(mapping: &Mapping, meaning: &Meaning, record: &Value) -> Told {
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

const NAMES: [&str; 4] = ["x", "i", "y", "s"];
const PATHS: [&str; 6] = ["a", "b", "o.a", "o.b", "l[0]", "l[1].a"];

fn numeric() -> BoxedStrategy<E> {
    let leaf = prop_oneof![
        4 => Just(E::Name("x")),
        4 => Just(E::Name("i")),
        2 => (-3i64..4).prop_map(E::Integer),
        1 => prop_oneof![Just(0.0), Just(0.5), Just(-2.5), Just(1e308)].prop_map(E::Float),
        1 => prop_oneof![Just(i64::MAX), Just(i64::MIN + 1)].prop_map(E::Integer),
        1 => Just(E::Null),
        1 => Just(E::ToFloat(Box::new(E::Name("s")))),
    ];
    leaf.prop_recursive(5, 30, 4, |n| {
        let b = Box::new;
        let n = n.boxed();
        let condition = logical(n.clone());
        prop_oneof![
            4 => (n.clone(), prop_oneof![Just('+'), Just('-'), Just('*'), Just('/'), Just('%')], n.clone())
                .prop_map(move |(x, op, y)| E::Arithmetic(b(x), op, b(y))),
            1 => n.clone().prop_map(move |x| E::Negative(b(x))),
            2 => (vec((condition, n.clone()), 1..3), n.clone()).prop_map(move |(w, e)| E::Case(w, b(e))),
            1 => (n.clone(), n.clone()).prop_map(move |(x, y)| E::Coalesce(b(x), b(y))),
            1 => (n.clone(), n.clone()).prop_map(move |(x, y)| E::NullIf(b(x), b(y))),
            1 => n.clone().prop_map(move |x| E::ToFloat(b(x))),
        ]
    })
    .boxed()
}

fn logical(n: BoxedStrategy<E>) -> BoxedStrategy<E> {
    let b = Box::new;
    let op = prop_oneof![Just("="), Just("<>"), Just("<"), Just("<="), Just(">"), Just(">=")];
    let text = prop_oneof![Just(""), Just("a"), Just("b'"), Just("1")].prop_map(|t| E::Text(t.into()));
    let leaf = prop_oneof![
        2 => Just(E::Name("y")),
        4 => (n.clone(), op.clone(), n.clone()).prop_map(move |(x, op, y)| E::Compare(b(x), op, b(y))),
        1 => (op, text).prop_map(move |(op, t)| E::Compare(b(E::Name("s")), op, b(t))),
        1 => prop_oneof![Just("a"), Just("a%"), Just("%")].prop_map(move |p| E::Like(b(E::Name("s")), p.into())),
        1 => n.clone().prop_map(move |x| E::IsNull(b(x))),
        1 => (n.clone(), n.clone(), n.clone()).prop_map(move |(x, y, z)| E::Between(b(x), b(y), b(z))),
        1 => (n.clone(), vec(n, 1..4)).prop_map(move |(x, list)| E::In(b(x), list)),
        1 => Just(E::Null),
    ];
    leaf.prop_recursive(3, 10, 2, move |c| {
        prop_oneof![
            (c.clone(), c.clone()).prop_map(move |(x, y)| E::And(b(x), b(y))),
            (c.clone(), c.clone()).prop_map(move |(x, y)| E::Or(b(x), b(y))),
            c.prop_map(move |x| E::Not(b(x))),
        ]
    })
    .boxed()
}

fn scalar() -> BoxedStrategy<Value> {
    prop_oneof![
        3 => (-4i64..5).prop_map(Value::from),
        2 => prop_oneof![Just(0.5), Just(-2.5), Just(3.0), Just(1e300), Just(-0.0)].prop_map(Value::from),
        1 => prop_oneof![Just("2"), Just(" 1.5 "), Just("a"), Just("ab"), Just(""), Just("1"), Just("true"), Just("NaN")].prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<i64>().prop_map(|n| Value::from(n / 1024)),
    ]
    .boxed()
}

fn record() -> BoxedStrategy<Value> {
    let inner = (option::of(scalar()), option::of(scalar()))
        .prop_map(|(a, b)| {
            let mut o = serde_json::Map::new();
            a.map(|a| o.insert("a".into(), a));
            b.map(|b| o.insert("b".into(), b));
            Value::Object(o)
        })
        .boxed();
    let any = prop_oneof![8 => scalar(), 1 => inner.clone(), 1 => vec(scalar(), 0..2).prop_map(Value::from)];
    let list = vec(prop_oneof![4 => scalar(), 3 => inner.clone()], 0..3).prop_map(Value::from);
    let object = (
        option::weighted(0.8, any),
        option::weighted(0.8, scalar()),
        option::weighted(0.8, prop_oneof![6 => inner, 1 => scalar()]),
        option::weighted(0.7, list),
    )
        .prop_map(|(a, b, o, l)| {
            let mut all = serde_json::Map::new();
            for (key, v) in [("a", a), ("b", b), ("o", o), ("l", l)] {
                v.map(|v| all.insert(key.into(), v));
            }
            Value::Object(all)
        });
    prop_oneof![30 => object, 1 => scalar()].boxed()
}

fn any_mapping() -> impl Strategy<Value = (Mapping, E, Option<E>)> {
    let path = || prop::sample::select(&PATHS[..]).prop_map(|p| p.parse().expect("path"));
    let ty = prop_oneof![3 => Just(FieldType::Float), 1 => Just(FieldType::Integer), 1 => Just(FieldType::Boolean)];
    let metric = (
        option::weighted(0.7, path()),
        ty,
        prop_oneof![3 => Just(1.0), 1 => Just(0.5), 1 => Just(-1e300)],
        prop_oneof![3 => Just(0.0), 1 => Just(-10.0)],
        prop::bool::weighted(0.2),
    );
    let types = [
        FieldType::Float,
        FieldType::Integer,
        FieldType::Boolean,
        FieldType::String,
    ];
    (
        [path(), path(), path(), path()],
        vec(metric, 1..4),
        vec(path(), 0..3),
        numeric(),
        option::of(logical(numeric())),
    )
        .prop_map(move |(fields, metrics, tags, calculated, filter)| {
            let mapping = Mapping {
                fields: fields
                    .into_iter()
                    .zip(NAMES)
                    .zip(types)
                    .map(|((path, name), ty)| Field {
                        name: name.into(),
                        path,
                        ty,
                    })
                    .collect(),
                calculated: vec![dash_model::mapping::Calculated {
                    name: "r".into(),
                    // A NULL without a type is a metric too.
                    expression: calculated.sql(),
                }],
                filter: filter.as_ref().map(E::sql),
                metrics: metrics
                    .into_iter()
                    .enumerate()
                    .map(|(i, (path, ty, scale, offset, required))| MetricRule {
                        name: format!("m{i}"),
                        field: path.is_none().then(|| "r".into()),
                        path,
                        ty,
                        scale,
                        offset,
                        unit: None,
                        required,
                    })
                    .collect(),
                tags: tags
                    .into_iter()
                    .enumerate()
                    .map(|(i, path)| TagRule {
                        name: format!("t{i}"),
                        path: Some(path),
                        field: None,
                    })
                    .collect(),
                ..Default::default()
            };
            (mapping, calculated, filter)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 2000, ..Default::default() })]

    #[test]
    fn the_plan_and_the_naive_evaluator_agree((mapping, numeric, filter) in any_mapping(), records in vec(record(), 0..12)) {
        let plan = match Plan::compile(&mapping) {
            Ok(plan) => plan,
            // The text of a deep expression can exceed the bounds; nothing else may be refused.
            Err(e) => {
                prop_assert!(e.reason.contains("nested deeper") || e.reason.contains("4096 are allowed"), "{e}\n{mapping:?}");
                return Ok(());
            }
        };
        let texts: Vec<String> = records.iter().map(Value::to_string).collect();
        let set: RecordSet = texts.iter().map(String::as_bytes).collect();
        // In two inputs, so that events are counted across them.
        let cut = set.len() / 2;
        let (head, tail): (RecordSet, RecordSet) = (set.iter().take(cut).collect(), set.iter().skip(cut).collect());
        let inputs = [
            Input { first: EventSeq(0), received_at: RECEIVED, records: &head },
            Input { first: EventSeq(cut as i64), received_at: RECEIVED, records: &tail },
        ];
        let out = plan.run(&inputs).expect("runs");
        check_sums(&out, records.len());
        let meaning = Meaning { numeric, filter };
        let mut point = 0;
        let mut quarantined = out.quarantined.iter();
        for (row, record) in records.iter().enumerate() {
            let mut made = Vec::new();
            while point < out.points.len() && out.points.event[point].0 == row as i64 {
                let series = &out.series[out.points.series[point] as usize];
                made.push((series.metric.clone(), series.tags.clone(), out.points.value[point]));
                point += 1;
            }
            let found = if !made.is_empty() {
                Told::Mapped(made)
            } else if quarantined.as_slice().first().is_some_and(|q| q.event.0 == row as i64) {
                let q = quarantined.next().expect("is there");
                prop_assert_eq!(&q.raw[..], texts[row].as_bytes());
                let mut fields: Vec<String> = q.reasons.iter().map(|r| r.field.clone()).collect();
                fields.sort();
                fields.dedup();
                Told::Quarantined(fields)
            } else {
                Told::Filtered
            };
            prop_assert_eq!(found, naive(&mapping, &meaning, record), "{}\n{}", json!(mapping), record);
        }
        prop_assert_eq!(point, out.points.len());
        prop_assert_eq!(quarantined.next(), None);
    }
}

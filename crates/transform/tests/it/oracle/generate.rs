//! Mappings and records to try.

use dash_model::mapping::{Field, FieldType, Mapping, MetricRule, TagRule};
use proptest::{collection::vec, option, prelude::*};
use serde_json::Value;

use super::naive::E;

pub const NAMES: [&str; 4] = ["x", "i", "y", "s"];
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

pub fn record() -> BoxedStrategy<Value> {
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

pub fn any_mapping() -> impl Strategy<Value = (Mapping, E, Option<E>)> {
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

//! The functions that expressions may call, casts, and what operators share with them.

use std::borrow::Cow;

use polars::{
    lazy::dsl::{max_horizontal, min_horizontal},
    prelude::{RoundMode, lit, when},
};
use sqlparser::ast::{BinaryOperator as Op, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::{
    Levels, MAX_TEXT, Ty, Val,
    build::{Flag, Lit},
    kernel::{Cell, MAX_ARGS, Made, kernel},
};
use crate::decode::{parse_float, parse_integer, rfc3339};

pub(super) const FUNCTIONS: &str = "ABS, CEIL, COALESCE, CONCAT, ENDS_WITH, EPOCH, EXP, EXTRACT, FLOOR, GREATEST, LEAST, \
     LENGTH, LN, LOG, LOG10, LOWER, NULLIF, POWER, REPLACE, ROUND, SIGN, SQRT, STARTS_WITH, SUBSTRING, TRIM and UPPER";

/// Name and arguments of a plain call: no window, no aggregate, no names for arguments.
pub(super) fn arguments(f: &Function) -> Result<(String, Vec<&Expr>), String> {
    let name = f.name.to_string().to_uppercase();
    if f.over.is_some() {
        return Err(format!(
            "{} is a window function; an expression sees one record only",
            excerpt(&name)
        ));
    }
    if ["SUM", "AVG", "COUNT", "MIN", "MAX"].contains(&name.as_str()) {
        return Err(format!(
            "{name} is an aggregate; an expression sees one record only (GREATEST and LEAST compare its fields)"
        ));
    }
    let plain = f.filter.is_none()
        && f.null_treatment.is_none()
        && f.within_group.is_empty()
        && !f.uses_odbc_syntax
        && matches!(f.parameters, FunctionArguments::None);
    let odd = || {
        format!(
            "{} is called in a way that is not known; write NAME(a, b)",
            excerpt(&name)
        )
    };
    match &f.args {
        FunctionArguments::List(list) if plain && list.clauses.is_empty() && list.duplicate_treatment.is_none() => {
            let args = list
                .args
                .iter()
                .map(|a| match a {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Ok(e),
                    _ => Err(odd()),
                })
                .collect::<Result<Vec<_>, _>>()?;
            Ok((name, args))
        }
        _ => Err(odd()),
    }
}

/// The call of a function with arguments that are typed already.
pub(super) fn call(levels: &mut Levels, name: &str, args: Vec<Val>) -> Result<Val, String> {
    let (least, most) = match name {
        "ABS" | "CEIL" | "CEILING" | "FLOOR" | "SQRT" | "EXP" | "LN" | "LOG10" | "SIGN" | "LOWER" | "UPPER"
        | "TRIM" | "LENGTH" | "EPOCH" => (1, 1),
        "ROUND" | "LOG" => (1, 2),
        "POWER" | "POW" | "NULLIF" | "STARTS_WITH" | "ENDS_WITH" => (2, 2),
        "SUBSTRING" | "SUBSTR" => (2, 3),
        "REPLACE" => (3, 3),
        "COALESCE" | "GREATEST" | "LEAST" | "CONCAT" => (1, MAX_ARGS),
        _ => {
            return Err(format!(
                "the function {} is not known; allowed are {FUNCTIONS}",
                excerpt(name)
            ));
        }
    };
    if !(least..=most).contains(&args.len()) {
        let wanted = if least == most {
            least.to_string()
        } else {
            format!("{least} to {most}")
        };
        return Err(format!("{name} takes {wanted} arguments, found {}", args.len()));
    }
    match name {
        "COALESCE" => coalesce(levels, args),
        "NULLIF" => nullif(levels, args),
        "GREATEST" | "LEAST" => extreme(levels, name, args),
        "EPOCH" => epoch(levels, args),
        "LOWER" | "UPPER" | "TRIM" | "LENGTH" | "SUBSTRING" | "SUBSTR" | "REPLACE" | "STARTS_WITH" | "ENDS_WITH"
        | "CONCAT" => text(levels, name, args),
        _ => number(levels, name, args),
    }
}

fn number(levels: &mut Levels, name: &str, args: Vec<Val>) -> Result<Val, String> {
    if let Some(v) = args.iter().find(|v| !v.ty.is_number()) {
        return Err(format!(
            "{name} needs a number, found {}; CAST it AS DOUBLE",
            v.ty.name()
        ));
    }
    let places = match (name, args.get(1).map(|a| &a.literal)) {
        ("ROUND", None) => 0,
        ("ROUND", Some(Some(Lit::Integer(n @ 0..=15)))) => *n as u32,
        ("ROUND", _) => return Err("the places of ROUND are a number from 0 to 15".into()),
        _ => 0,
    };
    let whole = args[0].ty == Ty::Integer;
    let mut args = args.into_iter();
    let first = args.next().unwrap_or_else(Val::null);
    if whole {
        match name {
            "CEIL" | "CEILING" | "FLOOR" | "ROUND" => return Ok(first),
            "ABS" => return Ok(integers(levels, vec![first], |n| n[0].checked_abs())),
            "SIGN" => return Ok(integers(levels, vec![first], |n| Some(n[0].signum()))),
            _ => {}
        }
    }
    let x = to_float(levels, first);
    let second = args.next().map(|v| to_float(levels, v));
    let mapped = |levels: &mut Levels, expr, x: &Val| levels.node(expr, Ty::Float, &[x]);
    Ok(match name {
        "ABS" => mapped(levels, x.expr.clone().abs(), &x),
        "CEIL" | "CEILING" => mapped(levels, x.expr.clone().ceil(), &x),
        "FLOOR" => mapped(levels, x.expr.clone().floor(), &x),
        "ROUND" => {
            let v = mapped(levels, x.expr.clone().round(places, RoundMode::HalfAwayFromZero), &x);
            if places > 0 { v.unbounded() } else { v }
        }
        "SIGN" => {
            let x = levels.settle(x);
            floats(levels, vec![x], |n| if n[0] == 0.0 { 0.0 } else { n[0].signum() })
        }
        "SQRT" => floats(levels, vec![x], |n| n[0].sqrt()),
        "EXP" => floats(levels, vec![x], |n| n[0].exp()),
        "LN" => floats(levels, vec![x], |n| n[0].ln()),
        "LOG10" => floats(levels, vec![x], |n| n[0].log10()),
        "LOG" => match second {
            None => floats(levels, vec![x], |n| n[0].log10()),
            Some(y) => floats(levels, vec![x, y], |n| {
                if n[0] > 0.0 { n[1].ln() / n[0].ln() } else { f64::NAN }
            }),
        },
        _ => floats(levels, vec![x, second.unwrap_or_else(Val::null)], |n| n[0].powf(n[1])),
    })
}

/// A kernel over finite floats; a result that is not finite shows as such.
fn floats(levels: &mut Levels, args: Vec<Val>, f: impl Fn(&[f64]) -> f64 + Send + Sync + 'static) -> Val {
    let args: Vec<Val> = args.into_iter().map(|a| levels.settle(a.typed(Ty::Float))).collect();
    let v = kernel(levels, Ty::Float, &args.iter().collect::<Vec<_>>(), move |cells| {
        let mut n = [0.0; MAX_ARGS];
        for (n, cell) in n.iter_mut().zip(cells) {
            match cell {
                Cell::Float(x) => *n = *x,
                _ => return Made::Null,
            }
        }
        Made::Float(f(&n[..cells.len()]))
    });
    v.unbounded()
}

/// A kernel over integers; where it has no result there is a fault.
pub(super) fn integers(
    levels: &mut Levels,
    args: Vec<Val>,
    f: impl Fn(&[i64]) -> Option<i64> + Send + Sync + 'static,
) -> Val {
    let args: Vec<Val> = args.into_iter().map(|a| levels.bind(a)).collect();
    let parts: Vec<&Val> = args.iter().collect();
    let v = kernel(levels, Ty::Integer, &parts, move |cells| {
        let mut n = [0; MAX_ARGS];
        for (n, cell) in n.iter_mut().zip(cells) {
            match cell {
                Cell::Integer(x) => *n = *x,
                _ => return Made::Null,
            }
        }
        f(&n[..cells.len()]).map_or(Made::Null, Made::Integer)
    });
    levels.faulty_when_null(v, &parts)
}

pub(super) fn float_arithmetic(levels: &mut Levels, a: Val, op: &Op, b: Val) -> Val {
    // Beside a literal what is not finite stays so; a NULL on the other side would hide it, and x / infinity is 0.
    let keeps = |other: &Val| other.literal.is_some();
    let (settle_a, settle_b) = (!keeps(&b), !keeps(&a) || *op == Op::Divide);
    let a = if settle_a { levels.settle(a) } else { a };
    let b = if settle_b { levels.settle(b) } else { b };
    // Polars multiplies by the reciprocal of a scalar, which may round to another number than the division does.
    // And it leaves out a scalar that is 0, unless there is one row: -0 + 0 is 0, and -0 where it is left out.
    let (a, b) = match op {
        Op::Divide => (a, levels.spread(b)),
        Op::Plus | Op::Minus => {
            let mut spread = |v: Val| if v.may_be_zero() { levels.spread(v) } else { v };
            (spread(a), spread(b))
        }
        _ => (a, b),
    };
    let (x, y) = (a.expr.clone(), b.expr.clone());
    let expr = match op {
        Op::Plus => x + y,
        Op::Minus => x - y,
        Op::Multiply => x * y,
        Op::Divide => x / y,
        _ => return floats(levels, vec![a, b], |n| n[0] % n[1]),
    };
    let v = levels.node(expr, Ty::Float, &[&a, &b]);
    v.unbounded()
}

/// `value * scale + offset`; the value itself, with its type, when they change nothing.
pub(crate) fn scaled(levels: &mut Levels, v: Val, scale: f64, offset: f64) -> Val {
    if scale == 1.0 && offset == 0.0 {
        return v;
    }
    let v = to_float(levels, v);
    let product = v.expr.clone() * lit(scale);
    // The sign of a zero would depend on how many rows there are: see `float_arithmetic`.
    let sum = if offset == 0.0 { product } else { product + lit(offset) };
    let node = levels.node(sum, Ty::Float, &[&v]);
    node.unbounded()
}

/// A number or boolean as float.
pub(super) fn to_float(levels: &mut Levels, v: Val) -> Val {
    match (v.ty, &v.literal) {
        (Ty::Float, _) => v,
        (Ty::Null, _) => v.typed(Ty::Float),
        (_, Some(Lit::Integer(n))) => Val::float(*n as f64),
        _ => levels.node(v.expr.clone().cast(Ty::Float.dtype()), Ty::Float, &[&v]),
    }
}

/// All of one type: integers widen beside floats, NULL becomes anything. Else the two types that do not meet.
pub(super) fn unify(levels: &mut Levels, vals: Vec<Val>) -> Result<(Ty, Vec<Val>), (Ty, Ty)> {
    let mut ty = Ty::Null;
    for v in &vals {
        ty = match (ty, v.ty) {
            (Ty::Null, t) | (t, Ty::Null) => t,
            (a, b) if a == b => a,
            (Ty::Integer, Ty::Float) | (Ty::Float, Ty::Integer) => Ty::Float,
            (a, b) => return Err((a, b)),
        };
    }
    let vals = vals
        .into_iter()
        .map(|v| {
            if ty == Ty::Float {
                to_float(levels, v)
            } else {
                v.typed(ty)
            }
        })
        .collect();
    Ok((ty, vals))
}

fn meet(levels: &mut Levels, name: &str, args: Vec<Val>) -> Result<(Ty, Vec<Val>), String> {
    unify(levels, args).map_err(|(a, b)| {
        format!(
            "the arguments of {name} are {} and {}; CAST them to one type",
            a.name(),
            b.name()
        )
    })
}

fn coalesce(levels: &mut Levels, args: Vec<Val>) -> Result<Val, String> {
    let (ty, mut args) = meet(levels, "COALESCE", args)?;
    let mut all = args.pop().unwrap_or_else(Val::null);
    for a in args.into_iter().rev() {
        let a = levels.bind(a);
        let missing = a.expr.clone().is_null();
        let expr = when(missing.clone()).then(all.expr.clone()).otherwise(a.expr.clone());
        let mut v = levels.node(expr, ty, &[&a, &all]);
        v.fault = Flag::or(a.fault, levels.choose((missing, a.level), all.fault, None));
        all = v;
    }
    Ok(all)
}

fn nullif(levels: &mut Levels, args: Vec<Val>) -> Result<Val, String> {
    let kept = args[0].ty;
    let args: Vec<Val> = args
        .into_iter()
        .map(|a| {
            let a = levels.settle(a);
            levels.bind(a)
        })
        .collect();
    let first = args[0].clone();
    let (_, args) = meet(levels, "NULLIF", args)?;
    let equal = args[0].expr.clone().eq(args[1].expr.clone());
    let nothing = Val::null().typed(kept);
    let expr = when(equal.fill_null(lit(false)))
        .then(nothing.expr)
        .otherwise(first.expr.clone());
    Ok(levels.node(expr, kept, &[&first, &args[0], &args[1]]))
}

fn extreme(levels: &mut Levels, name: &str, args: Vec<Val>) -> Result<Val, String> {
    let (ty, args) = meet(levels, name, args)?;
    if !matches!(ty, Ty::Float | Ty::Integer | Ty::Timestamp | Ty::Null) {
        return Err(format!("{name} needs numbers or timestamps, found {}", ty.name()));
    }
    let args: Vec<Val> = args.into_iter().map(|a| levels.settle(a)).collect();
    let exprs: Vec<_> = args.iter().map(|a| a.expr.clone()).collect();
    let expr = if name == "GREATEST" {
        max_horizontal(exprs)
    } else {
        min_horizontal(exprs)
    };
    let expr = expr.map_err(|e| e.to_string())?;
    Ok(levels.node(expr, ty, &args.iter().collect::<Vec<_>>()))
}

fn epoch(levels: &mut Levels, args: Vec<Val>) -> Result<Val, String> {
    let v = &args[0];
    if v.ty != Ty::Timestamp {
        return Err(format!("EPOCH needs a timestamp such as time, found {}", v.ty.name()));
    }
    let micros = v.expr.clone().cast(Ty::Integer.dtype()).cast(Ty::Float.dtype());
    Ok(levels.node(micros / lit(1e6), Ty::Float, &[v]))
}

/// `a || b`: NULL when either is.
pub(super) fn join(levels: &mut Levels, a: Val, b: Val) -> Result<Val, String> {
    if a.ty != Ty::String && b.ty != Ty::String {
        return Err(format!(
            "|| needs at least one string, found {} and {}; CAST one AS TEXT",
            a.ty.name(),
            b.ty.name()
        ));
    }
    let args = vec![cast(levels, a, Ty::String)?, cast(levels, b, Ty::String)?];
    Ok(bounded(levels, args, |t| Some(Cow::Owned([t[0]?, t[1]?].concat()))))
}

fn text(levels: &mut Levels, name: &str, args: Vec<Val>) -> Result<Val, String> {
    if name == "CONCAT" {
        let args = args
            .into_iter()
            .map(|a| {
                let a = cast(levels, a, Ty::String)?;
                // CONCAT leaves NULL out.
                Ok(levels.node(a.expr.clone().fill_null(lit("")), Ty::String, &[&a]))
            })
            .collect::<Result<_, String>>()?;
        return Ok(bounded(levels, args, |t| {
            Some(Cow::Owned(t.iter().map(|t| t.unwrap_or_default()).collect()))
        }));
    }
    let cut = matches!(name, "SUBSTRING" | "SUBSTR");
    for (i, v) in args.iter().enumerate() {
        let wanted = if cut && i > 0 { Ty::Integer } else { Ty::String };
        if v.ty != wanted && v.ty != Ty::Null {
            let remedy = if wanted == Ty::String { "TEXT" } else { "BIGINT" };
            return Err(format!(
                "argument {} of {name} is {}, found {}; CAST it AS {remedy}",
                i + 1,
                wanted.name(),
                v.ty.name()
            ));
        }
    }
    let args: Vec<Val> = args
        .into_iter()
        .enumerate()
        .map(|(i, v)| v.typed(if cut && i > 0 { Ty::Integer } else { Ty::String }))
        .collect();
    Ok(match name {
        "LOWER" => bounded(levels, args, |t| t[0].map(|t| t.to_lowercase().into())),
        "UPPER" => bounded(levels, args, |t| t[0].map(|t| t.to_uppercase().into())),
        "TRIM" => bounded(levels, args, |t| t[0].map(|t| t.trim_matches(' ').into())),
        "REPLACE" => bounded(levels, args, |t| {
            let (text, from, to) = (t[0]?, t[1]?, t[2]?);
            Some(if from.is_empty() {
                text.into()
            } else {
                let grown = text.matches(from).count().saturating_mul(to.len());
                if grown > MAX_TEXT {
                    return None;
                }
                text.replace(from, to).into()
            })
        }),
        "LENGTH" => {
            let v = args[0].clone();
            let chars = v.expr.clone().str().len_chars().cast(Ty::Integer.dtype());
            levels.node(chars, Ty::Integer, &[&v])
        }
        "STARTS_WITH" | "ENDS_WITH" => {
            let starts = name == "STARTS_WITH";
            kernel(
                levels,
                Ty::Boolean,
                &args.iter().collect::<Vec<_>>(),
                move |cells| match (cells[0], cells[1]) {
                    (Cell::Text(t), Cell::Text(x)) => {
                        Made::Boolean(if starts { t.starts_with(x) } else { t.ends_with(x) })
                    }
                    _ => Made::Null,
                },
            )
        }
        _ => substring(levels, args),
    })
}

/// A kernel from texts to a text of bounded length; where it has none though all arguments are there is a fault.
fn bounded(
    levels: &mut Levels,
    args: Vec<Val>,
    f: impl for<'t> Fn(&[Option<&'t str>]) -> Option<Cow<'t, str>> + Send + Sync + 'static,
) -> Val {
    let args: Vec<Val> = args.into_iter().map(|a| levels.bind(a)).collect();
    let parts: Vec<&Val> = args.iter().collect();
    let v = kernel(levels, Ty::String, &parts, move |cells| {
        let mut texts = [None; MAX_ARGS];
        for (text, cell) in texts.iter_mut().zip(cells) {
            if let Cell::Text(t) = cell {
                *text = Some(*t);
            }
        }
        match f(&texts[..cells.len()]) {
            Some(t) if t.len() <= MAX_TEXT => Made::Text(t.into_owned()),
            _ => Made::Null,
        }
    });
    levels.faulty_when_null(v, &parts)
}

/// Characters count from 1; a start before the text takes from the length, as in PostgreSQL.
fn substring(levels: &mut Levels, args: Vec<Val>) -> Val {
    let args: Vec<Val> = args.into_iter().map(|a| levels.bind(a)).collect();
    let parts: Vec<&Val> = args.iter().collect();
    let v = kernel(levels, Ty::String, &parts, |cells| {
        let (Cell::Text(text), Cell::Integer(start)) = (cells[0], cells[1]) else {
            return Made::Null;
        };
        let end = match cells.get(2) {
            None => i64::MAX,
            Some(Cell::Integer(n @ 0..)) => start.saturating_add(*n),
            Some(_) => return Made::Null,
        };
        let skip = usize::try_from(start.max(1) - 1).unwrap_or(usize::MAX);
        let take = usize::try_from(end.saturating_sub(start.max(1)).max(0)).unwrap_or(usize::MAX);
        Made::Text(text.chars().skip(skip).take(take).collect())
    });
    levels.faulty_when_null(v, &parts)
}

/// CAST. A value that has no counterpart in the other type is a fault.
pub(crate) fn cast(levels: &mut Levels, v: Val, to: Ty) -> Result<Val, String> {
    let refused = |from: Ty, remedy: &str| Err(format!("{} has no cast to {}; {remedy}", from.name(), to.name()));
    match (v.ty, to) {
        (from, to) if from == to => Ok(v),
        (Ty::Null, to) => Ok(v.typed(to)),
        (Ty::Integer, Ty::Float) => Ok(to_float(levels, v)),
        (Ty::Boolean, Ty::Float | Ty::Integer) => Ok(levels.node(v.expr.clone().cast(to.dtype()), to, &[&v])),
        (Ty::Integer, Ty::Boolean) => Ok(levels.node(v.expr.clone().neq(lit(0i64)), to, &[&v])),
        (Ty::Float, Ty::Boolean) => refused(v.ty, "write x <> 0"),
        (Ty::Timestamp, Ty::Float | Ty::Integer | Ty::Boolean) => refused(v.ty, "take its seconds with EPOCH(...)"),
        (_, Ty::Null | Ty::Timestamp) => refused(v.ty, "use `time`"),
        _ => {
            let v = levels.settle(v);
            let v = levels.bind(v);
            let made = kernel(levels, to, &[&v], move |cells| {
                cast_cell(cells[0], to).unwrap_or(Made::Null)
            });
            Ok(levels.faulty_when_null(made, &[&v]))
        }
    }
}

fn cast_cell(cell: Cell<'_>, to: Ty) -> Option<Made> {
    Some(match (cell, to) {
        (Cell::Text(t), Ty::Float) => Made::Float(parse_float(t.trim())?),
        (Cell::Text(t), Ty::Integer) => Made::Integer(parse_integer(t.trim())?),
        (Cell::Text(t), Ty::Boolean) => Made::Boolean(match t.trim().to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" => true,
            "f" | "false" | "n" | "no" | "off" | "0" => false,
            _ => return None,
        }),
        // Half to even, as PostgreSQL does; the range is the one in which a float still is an integer of 64 bits.
        (Cell::Float(x), Ty::Integer) => {
            let x = x.round_ties_even();
            let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&x);
            fits.then_some(Made::Integer(x as i64))?
        }
        (Cell::Float(x), Ty::String) => Made::Text(x.to_string()),
        (Cell::Integer(n), Ty::String) => Made::Text(n.to_string()),
        (Cell::Boolean(b), Ty::String) => Made::Text(b.to_string()),
        (Cell::Time(t), Ty::String) => Made::Text(rfc3339(t)),
        _ => return None,
    })
}

/// A piece of the user's text, short enough for a message.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

//! Syntax tree to typed value: operators, CASE and everything with a syntax of its own.

use polars::prelude::{Expr as Pl, lit, when};
use sqlparser::ast::{
    BinaryOperator as Op, CaseWhen, CastKind, CeilFloorKind, DataType as SqlType, DateTimeField, Expr, InTarget,
    Spanned, UnaryOperator, Value,
};

use super::{
    Env, Levels, MAX_DEPTH, MAX_WHENS, Ty, Val,
    build::{Flag, Lit},
    functions::{self, cast, excerpt, to_float, unify},
    kernel::{Cell, Made, kernel},
    like::Pattern,
    parse::parse,
};
use crate::decode::{parse_float, parse_rfc3339};

/// Types an expression and adds the columns that it needs to `levels`.
pub(crate) fn compile(text: &str, env: &Env, levels: &mut Levels) -> Result<Val, String> {
    let tree = parse(text)?;
    Compiler { env, levels }.expr(&tree, 0)
}

/// An expression that decides: true, false or NULL.
pub(crate) fn compile_filter(text: &str, env: &Env, levels: &mut Levels) -> Result<Val, String> {
    let v = compile(text, env, levels)?;
    match v.ty {
        Ty::Boolean | Ty::Null => Ok(v),
        other => Err(format!(
            "it is {}; a filter is a boolean, so write a comparison such as value > 0",
            other.name()
        )),
    }
}

pub(super) struct Compiler<'a> {
    pub env: &'a Env,
    pub levels: &'a mut Levels,
}

const CONSTRUCTS: &str =
    "+ - * / % ||, comparisons, AND, OR, NOT, IS NULL, IN (...), BETWEEN, LIKE, ILIKE, CASE, CAST and functions";

impl Compiler<'_> {
    pub fn expr(&mut self, e: &Expr, depth: usize) -> Result<Val, String> {
        if depth > MAX_DEPTH {
            return Err(format!(
                "it is nested deeper than {MAX_DEPTH} levels (a long chain of operators counts); split it into calculated fields"
            ));
        }
        let depth = depth + 1;
        match e {
            Expr::Nested(inner) => self.expr(inner, depth),
            Expr::Identifier(name) => self.name(&name.value, e),
            Expr::Value(v) => literal(&v.value, "", e),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr, e, depth),
            Expr::BinaryOp { left, op, right } => {
                let (a, b) = (self.expr(left, depth)?, self.expr(right, depth)?);
                self.binary(a, op, b).map_err(|why| why + &at(e))
            }
            Expr::IsNull(x) => self.test(x, depth, Pl::is_null),
            Expr::IsNotNull(x) => self.test(x, depth, Pl::is_not_null),
            Expr::IsUnknown(x) => self.test_boolean(x, depth, Pl::is_null),
            Expr::IsNotUnknown(x) => self.test_boolean(x, depth, Pl::is_not_null),
            Expr::IsTrue(x) => self.test_boolean(x, depth, |b| b.fill_null(lit(false))),
            Expr::IsNotTrue(x) => self.test_boolean(x, depth, |b| b.fill_null(lit(false)).not()),
            Expr::IsFalse(x) => self.test_boolean(x, depth, |b| b.fill_null(lit(true)).not()),
            Expr::IsNotFalse(x) => self.test_boolean(x, depth, |b| b.fill_null(lit(true))),
            Expr::In {
                expr,
                target: InTarget::List(list),
                negated,
                global: false,
            } => self.in_list(expr, list, *negated, depth).map_err(|why| why + &at(e)),
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let x = self.expr(expr, depth)?;
                let x = self.levels.settle(x);
                let x = self.levels.bind(x);
                let (low, high) = (self.expr(low, depth)?, self.expr(high, depth)?);
                let from = self.compare(x.clone(), &Op::GtEq, low)?;
                let to = self.compare(x, &Op::LtEq, high)?;
                let both = self.logic(from, true, to);
                Ok(self.negate_if(*negated, both))
            }
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self.like(expr, pattern, escape_char.as_deref(), *negated, false, depth),
            Expr::ILike {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self.like(expr, pattern, escape_char.as_deref(), *negated, true, depth),
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self
                .case(operand.as_deref(), conditions, else_result.as_deref(), depth)
                .map_err(|why| why + &at(e)),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                format: None,
            } => {
                let ty = cast_type(data_type)?;
                let v = self.expr(expr, depth)?;
                cast(self.levels, v, ty).map_err(|why| why + &at(e))
            }
            Expr::Extract { field, expr, .. } => self.extract(field, expr, depth),
            Expr::Ceil {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => self.call("CEIL", &[expr], e, depth),
            Expr::Floor {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => self.call("FLOOR", &[expr], e, depth),
            Expr::Substring {
                expr,
                substring_from: Some(from),
                substring_for,
                ..
            } => {
                let mut args: Vec<&Expr> = vec![expr, from];
                args.extend(substring_for.as_deref());
                self.call("SUBSTRING", &args, e, depth)
            }
            Expr::Trim {
                trim_where: None,
                trim_what: None,
                trim_characters: None,
                expr,
            } => self.call("TRIM", &[expr], e, depth),
            Expr::Function(f) => {
                let (name, args) = functions::arguments(f).map_err(|why| why + &at(e))?;
                self.call(&name, &args, e, depth)
            }
            other => Err(format!(
                "{} cannot be used here{}; allowed are {CONSTRUCTS}",
                kind(other),
                at(e)
            )),
        }
    }

    fn call(&mut self, name: &str, args: &[&Expr], e: &Expr, depth: usize) -> Result<Val, String> {
        let args = args
            .iter()
            .map(|a| self.expr(a, depth))
            .collect::<Result<Vec<_>, _>>()?;
        functions::call(self.levels, name, args).map_err(|why| why + &at(e))
    }

    fn name(&self, name: &str, e: &Expr) -> Result<Val, String> {
        self.env.get(name).cloned().ok_or_else(|| {
            let mut known: Vec<&str> = self.env.keys().map(String::as_str).collect();
            let left_out = known.len().saturating_sub(20);
            known.truncate(20);
            let more = if left_out > 0 {
                format!(" and {left_out} more")
            } else {
                String::new()
            };
            format!(
                "there is no {}{}; known here are {}{more}; texts stand in single quotes",
                excerpt(name),
                at(e),
                known.join(", ")
            )
        })
    }

    fn unary(&mut self, op: UnaryOperator, inner: &Expr, e: &Expr, depth: usize) -> Result<Val, String> {
        if let (UnaryOperator::Minus, Expr::Value(v)) = (op, inner)
            && matches!(v.value, Value::Number(..))
        {
            return literal(&v.value, "-", e);
        }
        let v = self.expr(inner, depth)?;
        match op {
            UnaryOperator::Not => {
                boolean(&v, "NOT").map_err(|why| why + &at(e))?;
                Ok(self.negate_if(true, v))
            }
            UnaryOperator::Plus | UnaryOperator::Minus if !v.ty.is_number() => {
                Err(format!("{op} needs a number, found {}{}", v.ty.name(), at(e)))
            }
            UnaryOperator::Plus => Ok(v),
            UnaryOperator::Minus if v.ty == Ty::Integer => {
                Ok(functions::integers(self.levels, vec![v], |n| n[0].checked_neg()))
            }
            UnaryOperator::Minus => {
                let v = to_float(self.levels, v);
                Ok(self.levels.node(v.expr.clone() * lit(-1.0), Ty::Float, &[&v]))
            }
            other => Err(format!(
                "the operator {other} cannot be used{}; allowed are {CONSTRUCTS}",
                at(e)
            )),
        }
    }

    fn binary(&mut self, a: Val, op: &Op, b: Val) -> Result<Val, String> {
        match op {
            Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo => self.arithmetic(a, op, b),
            Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => self.compare(a, op, b),
            Op::And | Op::Or => {
                for v in [&a, &b] {
                    boolean(v, &op.to_string())?;
                }
                Ok(self.logic(a, *op == Op::And, b))
            }
            Op::StringConcat => functions::join(self.levels, a, b),
            other => Err(format!("the operator {other} cannot be used; allowed are {CONSTRUCTS}")),
        }
    }

    fn arithmetic(&mut self, a: Val, op: &Op, b: Val) -> Result<Val, String> {
        for v in [&a, &b] {
            if !v.ty.is_number() {
                let remedy = match v.ty {
                    Ty::Timestamp => "take its seconds with EPOCH(...)",
                    Ty::String if *op == Op::Plus => "join texts with ||, or CAST them AS DOUBLE",
                    _ => "CAST it AS DOUBLE",
                };
                return Err(format!("{op} needs numbers, found {}; {remedy}", v.ty.name()));
            }
        }
        let whole = a.ty == Ty::Integer && b.ty == Ty::Integer;
        if whole && *op != Op::Divide {
            let f: fn(i64, i64) -> Option<i64> = match op {
                Op::Plus => i64::checked_add,
                Op::Minus => i64::checked_sub,
                Op::Multiply => i64::checked_mul,
                _ => |a, b| if b == -1 { Some(0) } else { a.checked_rem(b) },
            };
            return Ok(functions::integers(self.levels, vec![a, b], move |n| f(n[0], n[1])));
        }
        let a = to_float(self.levels, a);
        let b = to_float(self.levels, b);
        Ok(functions::float_arithmetic(self.levels, a, op, b))
    }

    /// Comparison with SQL's NULL: NULL on either side makes NULL.
    fn compare(&mut self, a: Val, op: &Op, b: Val) -> Result<Val, String> {
        let (a, b) = (self.levels.settle(a), self.levels.settle(b));
        let (a, b) = match (a.ty, b.ty) {
            (Ty::Timestamp, Ty::String) => (a, as_timestamp(b)?),
            (Ty::String, Ty::Timestamp) => (as_timestamp(a)?, b),
            _ => (a, b),
        };
        let (_, vals) = unify(self.levels, vec![a, b])
            .map_err(|(x, y)| format!("{} and {} cannot be compared; CAST one of them", x.name(), y.name()))?;
        let (x, y) = (vals[0].expr.clone(), vals[1].expr.clone());
        let expr = match op {
            Op::Eq => x.eq(y),
            Op::NotEq => x.neq(y),
            Op::Lt => x.lt(y),
            Op::LtEq => x.lt_eq(y),
            Op::Gt => x.gt(y),
            _ => x.gt_eq(y),
        };
        Ok(self.levels.node(expr, Ty::Boolean, &[&vals[0], &vals[1]]))
    }

    /// `a AND b` or `a OR b`: what `a` decides alone, no fault of `b` can undo.
    fn logic(&mut self, a: Val, and: bool, b: Val) -> Val {
        let (a, b) = (
            self.levels.spread(a.typed(Ty::Boolean)),
            self.levels.spread(b.typed(Ty::Boolean)),
        );
        let a = if b.fault.is_some() { self.levels.bind(a) } else { a };
        let (x, y) = (a.expr.clone(), b.expr.clone());
        let expr = if and { x.and(y) } else { x.or(y) };
        let mut v = self.levels.node(expr, Ty::Boolean, &[&a, &b]);
        let open = if and {
            a.expr.clone().fill_null(lit(true))
        } else {
            a.expr.clone().fill_null(lit(false)).not()
        };
        v.fault = Flag::or(a.fault, self.levels.choose((open, a.level), b.fault, None));
        v
    }

    fn negate_if(&mut self, negated: bool, v: Val) -> Val {
        if !negated {
            return v;
        }
        let v = v.typed(Ty::Boolean);
        self.levels.node(v.expr.clone().not(), Ty::Boolean, &[&v])
    }

    fn test(&mut self, x: &Expr, depth: usize, f: impl Fn(Pl) -> Pl) -> Result<Val, String> {
        let v = self.expr(x, depth)?;
        let v = self.levels.settle(v);
        Ok(self.levels.node(f(v.expr.clone()), Ty::Boolean, &[&v]))
    }

    fn test_boolean(&mut self, x: &Expr, depth: usize, f: impl Fn(Pl) -> Pl) -> Result<Val, String> {
        let v = self.expr(x, depth)?;
        boolean(&v, "IS").map_err(|why| why + &at(x))?;
        Ok(self.levels.node(f(v.expr.clone()), Ty::Boolean, &[&v]))
    }

    fn in_list(&mut self, x: &Expr, list: &[Expr], negated: bool, depth: usize) -> Result<Val, String> {
        let x = self.expr(x, depth)?;
        let x = self.levels.settle(x);
        let x = self.levels.bind(x);
        let mut tests = Vec::with_capacity(list.len());
        for item in list {
            let item = self.expr(item, depth)?;
            tests.push(self.compare(x.clone(), &Op::Eq, item)?);
        }
        // Halves, not a chain: a thousand items are ten levels deep.
        while tests.len() > 1 {
            let mut halves = Vec::with_capacity(tests.len().div_ceil(2));
            let mut pairs = tests.into_iter();
            while let Some(a) = pairs.next() {
                halves.push(match pairs.next() {
                    Some(b) => self.logic(a, false, b),
                    None => a,
                });
            }
            tests = halves;
        }
        let any = tests.pop().ok_or("IN () is empty; give it at least one value")?;
        Ok(self.negate_if(negated, any))
    }

    fn like(
        &mut self,
        x: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        negated: bool,
        fold: bool,
        depth: usize,
    ) -> Result<Val, String> {
        let v = self.expr(x, depth)?;
        if !matches!(v.ty, Ty::String | Ty::Null) {
            return Err(format!(
                "LIKE needs a string, found {}{}; CAST it AS TEXT",
                v.ty.name(),
                at(x)
            ));
        }
        let literal = |v: Val| match v.literal {
            Some(Lit::Text(t)) => Ok(t),
            _ => Err(format!("the pattern of LIKE is a text in single quotes{}", at(pattern))),
        };
        let text = literal(self.expr(pattern, depth)?)?;
        let escape = match escape {
            None => Some('\\'),
            Some(e) => {
                let text = literal(self.expr(e, depth)?)?;
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (one, None) => one,
                    _ => return Err("ESCAPE takes one character".into()),
                }
            }
        };
        let pattern = Pattern::new(&text, escape, fold).ok_or_else(|| {
            format!(
                "the LIKE pattern {} ends with its escape character; write it twice",
                excerpt(&text)
            )
        })?;
        let v = v.typed(Ty::String);
        let found = kernel(self.levels, Ty::Boolean, &[&v], move |cells| match cells[0] {
            Cell::Text(t) => Made::Boolean(pattern.matches(t)),
            _ => Made::Null,
        });
        Ok(self.negate_if(negated, found))
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        whens: &[CaseWhen],
        otherwise: Option<&Expr>,
        depth: usize,
    ) -> Result<Val, String> {
        if whens.len() > MAX_WHENS {
            return Err(format!(
                "a CASE has at most {MAX_WHENS} WHENs; split it into calculated fields"
            ));
        }
        let operand = match operand {
            Some(o) => {
                let v = self.expr(o, depth)?;
                let v = self.levels.settle(v);
                Some(self.levels.bind(v))
            }
            None => None,
        };
        let (mut conditions, mut results) = (Vec::new(), Vec::new());
        for w in whens {
            let c = self.expr(&w.condition, depth)?;
            let c = match &operand {
                Some(o) => self.compare(o.clone(), &Op::Eq, c)?,
                None => {
                    boolean(&c, "WHEN")?;
                    c.typed(Ty::Boolean)
                }
            };
            let c = self
                .levels
                .node(c.expr.clone().fill_null(lit(false)), Ty::Boolean, &[&c]);
            conditions.push(self.levels.bind(c));
            results.push(self.expr(&w.result, depth)?);
        }
        results.push(match otherwise {
            Some(o) => self.expr(o, depth)?,
            None => Val::null(),
        });
        let (ty, mut results) = unify(self.levels, results).map_err(|(x, y)| {
            format!(
                "the branches of CASE are {} and {}; CAST them to one type",
                x.name(),
                y.name()
            )
        })?;
        let mut all = results.pop().unwrap_or_else(Val::null);
        for (c, r) in conditions.into_iter().zip(results).rev() {
            let expr = when(c.expr.clone()).then(r.expr.clone()).otherwise(all.expr.clone());
            let mut v = self.levels.node(expr, ty, &[&c, &r, &all]);
            v.fault = Flag::or(
                c.fault.clone(),
                self.levels.choose((c.expr, c.level), r.fault, all.fault),
            );
            all = v;
        }
        Ok(all)
    }

    fn extract(&mut self, field: &DateTimeField, x: &Expr, depth: usize) -> Result<Val, String> {
        let v = self.expr(x, depth)?;
        if v.ty != Ty::Timestamp {
            return Err(format!(
                "EXTRACT needs a timestamp such as time, found {}{}",
                v.ty.name(),
                at(x)
            ));
        }
        let of = v.expr.clone().dt();
        let part = match field.to_string().to_uppercase().as_str() {
            "HOUR" => of.hour(),
            "MINUTE" => of.minute(),
            // Sunday is 0, as in PostgreSQL; Polars counts it as 7.
            "DOW" => of.weekday().cast(Ty::Integer.dtype()) % lit(7i64),
            "DAY" => of.day(),
            "MONTH" => of.month(),
            "YEAR" => of.year(),
            "EPOCH" => return functions::call(self.levels, "EPOCH", vec![v]),
            other => {
                return Err(format!(
                    "EXTRACT({} FROM ...) is not known; use HOUR, MINUTE, DOW, DAY, MONTH, YEAR or EPOCH",
                    excerpt(other)
                ));
            }
        };
        Ok(self.levels.node(part.cast(Ty::Integer.dtype()), Ty::Integer, &[&v]))
    }
}

fn boolean(v: &Val, what: &str) -> Result<(), String> {
    match v.ty {
        Ty::Boolean | Ty::Null => Ok(()),
        other => Err(format!(
            "{what} needs a boolean, found {}; write a comparison",
            other.name()
        )),
    }
}

fn as_timestamp(v: Val) -> Result<Val, String> {
    match &v.literal {
        Some(Lit::Text(t)) => {
            let micros = parse_rfc3339(t)?;
            Ok(Val::constant(micros, Ty::Timestamp))
        }
        _ => Err("a timestamp is compared with a timestamp or with a text such as '2026-05-01T12:00:00Z'".into()),
    }
}

fn literal(value: &Value, sign: &str, e: &Expr) -> Result<Val, String> {
    match value {
        Value::Number(text, false) => {
            let text = format!("{sign}{text}");
            match text.parse::<i64>() {
                Ok(n) => Ok(Val::integer(n)),
                Err(_) => parse_float(&text)
                    .map(Val::float)
                    .ok_or_else(|| format!("{} is no finite number{}", excerpt(&text), at(e))),
            }
        }
        Value::SingleQuotedString(t) => Ok(Val::text(t)),
        Value::Boolean(b) => Ok(Val::constant(*b, Ty::Boolean)),
        Value::Null => Ok(Val::null()),
        other => Err(format!(
            "the literal {}{} cannot be used; write 1.5, 'text', TRUE, FALSE or NULL",
            excerpt(&other.to_string()),
            at(e)
        )),
    }
}

fn cast_type(sql: &SqlType) -> Result<Ty, String> {
    match sql.to_string().to_uppercase().as_str() {
        "DOUBLE" | "DOUBLE PRECISION" | "FLOAT" | "FLOAT8" => Ok(Ty::Float),
        "INT" | "INTEGER" | "BIGINT" | "INT8" => Ok(Ty::Integer),
        "BOOL" | "BOOLEAN" => Ok(Ty::Boolean),
        "TEXT" | "VARCHAR" | "STRING" => Ok(Ty::String),
        other => Err(format!(
            "CAST to {} is not known; use DOUBLE, BIGINT, BOOLEAN or TEXT",
            excerpt(other)
        )),
    }
}

/// Where an expression stands in its text.
fn at(e: &Expr) -> String {
    match e.span().start {
        s if s.line == 0 => String::new(),
        s if s.line == 1 => format!(" at character {}", s.column),
        s => format!(" at line {}, character {}", s.line, s.column),
    }
}

fn kind(e: &Expr) -> &'static str {
    match e {
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::In { .. } | Expr::AnyOp { .. } | Expr::AllOp { .. } => {
            "a subquery"
        }
        Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } | Expr::JsonAccess { .. } => {
            "a name with dots or brackets (put the path into `fields` and use its name)"
        }
        Expr::RLike { .. } | Expr::SimilarTo { .. } => "a regular expression",
        Expr::Cast { .. } | Expr::Convert { .. } => "this kind of cast (use CAST(x AS type))",
        Expr::AtTimeZone { .. } => "AT TIME ZONE",
        Expr::Position { .. } => "POSITION",
        Expr::Overlay { .. } => "OVERLAY",
        Expr::Collate { .. } => "COLLATE",
        Expr::Interval(_) => "an INTERVAL",
        Expr::Tuple(_) => "a list outside of IN",
        Expr::TypedString(_) => "a typed literal",
        Expr::Lambda(_) => "a lambda",
        Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => "*",
        _ => "this construct",
    }
}

//! Typed values and the columns that they need before them.
//!
//! Whatever an expression uses twice is made a column of its own first, so that an expression never grows beyond its
//! text; a column can be used from the level after its own.

use polars::prelude::{DataType, Expr, Literal, NULL, TimeUnit, col, lit, when};

use super::kernel::kernel;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    /// NULL itself: it fits everywhere.
    Null,
    Float,
    Integer,
    Boolean,
    String,
    Timestamp,
}

impl Ty {
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Float => "a float",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
            Self::String => "a string",
            Self::Timestamp => "a timestamp",
        }
    }

    pub fn is_number(self) -> bool {
        matches!(self, Self::Float | Self::Integer | Self::Null)
    }

    pub fn dtype(self) -> DataType {
        match self {
            Self::Null | Self::Boolean => DataType::Boolean,
            Self::Float => DataType::Float64,
            Self::Integer => DataType::Int64,
            Self::String => DataType::String,
            Self::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
        }
    }
}

/// A typed expression, evaluable once all columns of the levels below `level` are there.
#[derive(Clone, Debug)]
pub(crate) struct Val {
    pub expr: Expr,
    pub ty: Ty,
    pub level: usize,
    /// True where this value has no result; never NULL. A float may also show it by not being finite.
    pub fault: Option<Flag>,
    /// A float that can be infinite or NaN.
    pub unbounded: bool,
    /// The text of a string literal, the number of a numeric one.
    pub literal: Option<Lit>,
    /// Made of literals alone.
    constant: bool,
    /// A column or literal: cheap to use again.
    atom: bool,
    depth: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lit {
    Text(String),
    Integer(i64),
    Float(f64),
}

/// A boolean without NULL.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    pub expr: Expr,
    pub level: usize,
}

impl Flag {
    pub fn or(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(Self {
                level: a.level.max(b.level),
                expr: a.expr.or(b.expr),
            }),
            (a, b) => a.or(b),
        }
    }
}

impl Val {
    /// A column that is there before the first level, and finite.
    pub fn column(name: &str, ty: Ty) -> Self {
        Self {
            constant: false,
            ..Self::atom(col(name), ty, 0)
        }
    }

    /// A constant that is not known to be another number than zero.
    pub fn may_be_zero(&self) -> bool {
        self.constant && !matches!(self.literal, Some(Lit::Float(x)) if x != 0.0)
    }

    fn atom(expr: Expr, ty: Ty, level: usize) -> Self {
        Self {
            expr,
            ty,
            level,
            fault: None,
            unbounded: false,
            literal: None,
            constant: true,
            atom: true,
            depth: 0,
        }
    }

    pub fn null() -> Self {
        Self::atom(lit(NULL).cast(DataType::Boolean), Ty::Null, 0)
    }

    pub fn constant<L: Literal>(value: L, ty: Ty) -> Self {
        Self::atom(lit(value).cast(ty.dtype()), ty, 0)
    }

    pub fn text(text: &str) -> Self {
        Self {
            literal: Some(Lit::Text(text.to_owned())),
            ..Self::constant(text.to_owned(), Ty::String)
        }
    }

    pub fn integer(n: i64) -> Self {
        Self {
            literal: Some(Lit::Integer(n)),
            ..Self::constant(n, Ty::Integer)
        }
    }

    pub fn float(x: f64) -> Self {
        Self {
            literal: Some(Lit::Float(x)),
            ..Self::constant(x, Ty::Float)
        }
    }

    /// The same float, which may be infinite or NaN.
    pub fn unbounded(self) -> Self {
        Self {
            unbounded: true,
            ..self
        }
    }

    /// NULL as a value of another type.
    pub fn typed(self, ty: Ty) -> Self {
        if self.ty == Ty::Null && ty != Ty::Null {
            // NULL for certain; what went wrong on the way to it still did.
            return Self {
                fault: self.fault,
                ..Self::atom(lit(NULL).cast(ty.dtype()), ty, 0)
            };
        }
        self
    }
}

/// The columns to compute, level by level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Levels {
    levels: Vec<Vec<Expr>>,
    made: usize,
}

/// Depth from which an expression becomes a column, to keep recursion within Polars shallow.
const DEEP: usize = 12;

impl Levels {
    pub fn into_inner(self) -> Vec<Vec<Expr>> {
        self.levels
    }

    pub fn len(&self) -> usize {
        self.levels.len()
    }

    fn column(&mut self, expr: Expr, level: usize) -> Expr {
        let name = format!("#{}", self.made);
        self.made += 1;
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Vec::new);
        }
        self.levels[level].push(expr.alias(name.as_str()));
        col(name.as_str())
    }

    /// The same value, cheap to use more than once.
    pub fn bind(&mut self, v: Val) -> Val {
        if v.atom {
            return v;
        }
        let v = self.spread(v);
        if v.atom {
            return v;
        }
        Val {
            expr: self.column(v.expr, v.level),
            level: v.level + 1,
            atom: true,
            depth: 0,
            ..v
        }
    }

    /// A constant as one value per row. Polars keeps what is made of literals as a scalar column, and compares a
    /// literal with a scalar column to a single row whatever the height of the frame.
    pub fn spread(&mut self, v: Val) -> Val {
        if !v.constant {
            return v;
        }
        kernel(self, v.ty, &[&v], |cells| cells[0].into())
    }

    fn bind_flag(&mut self, flag: Option<Flag>) -> Option<Flag> {
        flag.map(|f| match f.expr {
            Expr::Column(_) => f,
            _ => Flag {
                expr: self.column(f.expr, f.level),
                level: f.level + 1,
            },
        })
    }

    /// Value and fault, each a column: what a calculated field is to those after it.
    pub fn bind_all(&mut self, v: Val) -> Val {
        let mut v = self.bind(v);
        v.fault = self.bind_flag(v.fault.take());
        v
    }

    /// A new value made of `parts`, whose own faults it takes over.
    pub fn node(&mut self, expr: Expr, ty: Ty, parts: &[&Val]) -> Val {
        let constant = parts.iter().all(|p| p.constant);
        self.new_node(expr, ty, parts, constant)
    }

    /// As [`Levels::node`], for an expression that has a column beside its parts.
    pub fn row_node(&mut self, expr: Expr, ty: Ty, parts: &[&Val]) -> Val {
        self.new_node(expr, ty, parts, false)
    }

    fn new_node(&mut self, expr: Expr, ty: Ty, parts: &[&Val], constant: bool) -> Val {
        let v = Val {
            expr,
            ty,
            level: parts.iter().map(|p| p.level).max().unwrap_or(0),
            fault: parts.iter().fold(None, |all, p| Flag::or(all, p.fault.clone())),
            unbounded: ty == Ty::Float && parts.iter().any(|p| p.unbounded),
            literal: None,
            constant,
            atom: false,
            depth: 1 + parts.iter().map(|p| p.depth).max().unwrap_or(0),
        };
        if v.depth < DEEP { v } else { self.bind(v) }
    }

    /// Before an operation that would lose sight of it: where a float is not finite, that becomes a fault.
    pub fn settle(&mut self, v: Val) -> Val {
        if !v.unbounded {
            return v;
        }
        let v = self.bind(v);
        let bad = Flag {
            expr: v.expr.clone().is_finite().not().fill_null(lit(false)),
            level: v.level,
        };
        let fault = self.bind_flag(Flag::or(v.fault.clone(), Some(bad)));
        Val {
            fault,
            unbounded: false,
            ..v
        }
    }

    /// `v` where a NULL that is not due to `inputs` is a fault: for kernels that answer NULL when they have no result.
    pub fn faulty_when_null(&mut self, v: Val, inputs: &[&Val]) -> Val {
        let v = self.bind(v);
        let expr = inputs
            .iter()
            .fold(v.expr.clone().is_null(), |e, i| e.and(i.expr.clone().is_not_null()));
        let bad = Flag { expr, level: v.level };
        let fault = self.bind_flag(Flag::or(v.fault.clone(), Some(bad)));
        Val { fault, ..v }
    }

    /// The fault of `then` where `condition` (not NULL) holds, else the one of `otherwise`.
    pub fn choose(&mut self, condition: (Expr, usize), then: Option<Flag>, otherwise: Option<Flag>) -> Option<Flag> {
        if then.is_none() && otherwise.is_none() {
            return None;
        }
        let level = [&then, &otherwise]
            .into_iter()
            .flatten()
            .map(|f| f.level)
            .fold(condition.1, usize::max);
        let or_false = |f: Option<Flag>| f.map_or_else(|| lit(false), |f| f.expr);
        let flag = Flag {
            expr: when(condition.0).then(or_false(then)).otherwise(or_false(otherwise)),
            level,
        };
        self.bind_flag(Some(flag))
    }
}

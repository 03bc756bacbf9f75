//! Row functions that Polars lacks, or has with other semantics than SQL's: exact, and NULL where there is no result.

use polars::prelude::{
    BooleanChunked, Column, DataType, Expr, Field, Float64Chunked, Int64Chunked, IntoColumn, NamedFrom,
    NewChunkedArray, PolarsResult, Series, StringChunked, TimeUnit, polars_bail,
};

use super::{Levels, Ty, Val};

/// One value of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Float(f64),
    Integer(i64),
    Boolean(bool),
    Text(&'a str),
    Time(i64),
}

/// What a kernel answers for one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Made {
    Null,
    Float(f64),
    Integer(i64),
    Boolean(bool),
    Text(String),
    Time(i64),
}

impl From<Cell<'_>> for Made {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Float(x) => Self::Float(x),
            Cell::Integer(n) => Self::Integer(n),
            Cell::Boolean(b) => Self::Boolean(b),
            Cell::Text(t) => Self::Text(t.to_owned()),
            Cell::Time(t) => Self::Time(t),
        }
    }
}

enum Reader {
    Float(Float64Chunked),
    Integer(Int64Chunked),
    Boolean(BooleanChunked),
    Text(StringChunked),
    Time(Int64Chunked),
}

impl Reader {
    fn new(column: &Column) -> PolarsResult<Self> {
        let s = column.as_materialized_series().rechunk();
        Ok(match s.dtype() {
            DataType::Float64 => Self::Float(s.f64()?.clone()),
            DataType::Int64 => Self::Integer(s.i64()?.clone()),
            DataType::Boolean => Self::Boolean(s.bool()?.clone()),
            DataType::String => Self::Text(s.str()?.clone()),
            DataType::Datetime(_, _) => Self::Time(s.datetime()?.physical().clone()),
            other => polars_bail!(InvalidOperation: "no kernel reads {other}"),
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Float(c) => c.len(),
            Self::Integer(c) | Self::Time(c) => c.len(),
            Self::Boolean(c) => c.len(),
            Self::Text(c) => c.len(),
        }
    }

    /// The value of a row; a literal is one row that stands for all.
    fn get(&self, row: usize) -> Cell<'_> {
        let row = row.min(self.len().saturating_sub(1));
        match self {
            Self::Float(c) => c.get(row).map_or(Cell::Null, Cell::Float),
            Self::Integer(c) => c.get(row).map_or(Cell::Null, Cell::Integer),
            Self::Boolean(c) => c.get(row).map_or(Cell::Null, Cell::Boolean),
            Self::Text(c) => c.get(row).map_or(Cell::Null, Cell::Text),
            Self::Time(c) => c.get(row).map_or(Cell::Null, Cell::Time),
        }
    }
}

fn run(columns: &[Column], out: Ty, f: &impl Fn(&[Cell<'_>]) -> Made) -> PolarsResult<Column> {
    let name = columns[0].name().clone();
    // The first column has the height of the frame; the arguments follow.
    let rows = columns[0].len();
    let readers = columns[1..].iter().map(Reader::new).collect::<PolarsResult<Vec<_>>>()?;
    let made = (0..rows).map(|row| {
        let mut cells = [Cell::Null; MAX_ARGS];
        for (cell, reader) in cells.iter_mut().zip(&readers) {
            *cell = reader.get(row);
        }
        f(&cells[..readers.len()])
    });
    Ok(match out {
        Ty::Float => Float64Chunked::from_iter_options(
            name,
            made.map(|m| match m {
                Made::Float(x) => Some(x),
                _ => None,
            }),
        )
        .into_column(),
        Ty::Integer => Int64Chunked::from_iter_options(
            name,
            made.map(|m| match m {
                Made::Integer(n) => Some(n),
                _ => None,
            }),
        )
        .into_column(),
        Ty::String => StringChunked::from_iter_options(
            name,
            made.map(|m| match m {
                Made::Text(t) => Some(t),
                _ => None,
            }),
        )
        .into_column(),
        Ty::Timestamp => Int64Chunked::from_iter_options(
            name,
            made.map(|m| match m {
                Made::Time(t) => Some(t),
                _ => None,
            }),
        )
        .into_datetime(TimeUnit::Microseconds, None)
        .into_column(),
        Ty::Null | Ty::Boolean => {
            let made: Vec<Option<bool>> = made
                .map(|m| match m {
                    Made::Boolean(b) => Some(b),
                    _ => None,
                })
                .collect();
            Series::new(name, made).into_column()
        }
    })
}

/// Arguments that a kernel takes.
pub(super) const MAX_ARGS: usize = 16;

/// A value computed row by row; the answer has the faults of its arguments.
pub(super) fn kernel(
    levels: &mut Levels,
    out: Ty,
    args: &[&Val],
    f: impl Fn(&[Cell<'_>]) -> Made + Send + Sync + 'static,
) -> Val {
    let inputs: Vec<Expr> = args.iter().map(|a| a.expr.clone()).collect();
    let expr = polars::prelude::col(crate::decode::RECEIVED_AT).map_many(
        move |columns| run(columns, out, &f),
        &inputs,
        move |_, fields| Ok(Field::new(fields[0].name().clone(), out.dtype())),
    );
    levels.row_node(expr, out, args)
}

//! Text to syntax tree, within bounds.

use sqlparser::{
    ast::Expr,
    dialect::GenericDialect,
    parser::{Parser, ParserError},
    tokenizer::{Token, Tokenizer},
};

use super::{MAX_DEPTH, MAX_LENGTH};

/// Parses one expression and nothing after it.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!(
            "it has {} bytes; {MAX_LENGTH} are allowed, so split it into calculated fields",
            text.len()
        ));
    }
    if text.trim().is_empty() {
        return Err("it is empty; write an expression such as value * 2".into());
    }
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|e| format!("{e}; check the quotes"))?;
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(MAX_DEPTH)
        .with_tokens_with_locations(tokens);
    let expr = parser.parse_expr().map_err(explain)?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        return Err(format!(
            "{} at character {} does not belong to the expression; write one expression, without ; and aliases",
            super::functions::excerpt(&rest.token.to_string()),
            rest.span.start.column
        ));
    }
    Ok(expr)
}

fn explain(error: ParserError) -> String {
    match error {
        ParserError::RecursionLimitExceeded => {
            format!("it is nested deeper than {MAX_DEPTH} levels; split it into calculated fields")
        }
        ParserError::ParserError(why) | ParserError::TokenizerError(why) => {
            format!("{why}; write a SQL scalar expression such as value * 2")
        }
    }
}

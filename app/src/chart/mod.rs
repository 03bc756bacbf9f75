//! Model to chart options: pure functions.

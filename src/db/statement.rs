//! A statement that diesel's builder has no words for: the program's own SQL, and between it conditions of both databases and bound values.

use std::marker::PhantomData;

use diesel::{
    QueryResult, RunQueryDsl,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Text},
};

use super::{Conn, MultiBackend};

enum Piece {
    Words(String),
    Part(Box<dyn QueryFragment<MultiBackend>>),
    Text(String),
    Number(i64),
}

/// Pieces in their order; `ST` is what a row of it holds.
pub struct Statement<ST> {
    pieces: Vec<Piece>,
    row: PhantomData<ST>,
}

impl<ST> Statement<ST> {
    /// Begins with these words. Words are the program's own, never a request's.
    pub fn new(words: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Words(words.into())], row: PhantomData }
    }
    fn and(mut self, piece: Piece) -> Self {
        self.pieces.push(piece);
        self
    }
    pub fn words(self, words: impl Into<String>) -> Self {
        self.and(Piece::Words(words.into()))
    }
    /// A condition or the like, as diesel or [`super::sql`] makes it.
    pub fn part(self, part: impl QueryFragment<MultiBackend> + 'static) -> Self {
        self.and(Piece::Part(Box::new(part)))
    }
    pub fn text(self, value: impl Into<String>) -> Self {
        self.and(Piece::Text(value.into()))
    }
    pub fn number(self, value: i64) -> Self {
        self.and(Piece::Number(value))
    }
}

impl<ST> QueryId for Statement<ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl<ST> Query for Statement<ST> {
    type SqlType = ST;
}
impl<ST> RunQueryDsl<Conn> for Statement<ST> {}
impl<ST> QueryFragment<MultiBackend> for Statement<ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Words(words) => out.push_sql(words),
                Piece::Part(part) => part.walk_ast(out.reborrow())?,
                Piece::Text(value) => out.push_bind_param::<Text, _>(value)?,
                Piece::Number(value) => out.push_bind_param::<BigInt, _>(value)?,
            }
        }
        Ok(())
    }
}

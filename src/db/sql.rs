//! Pieces of SQL that the program words itself, prepared once a connection. Diesel's own `sql` and `eq_any` are prepared for every query,
//! because diesel cannot know that there are only a few of them, or keeps a question mark for each value.

use std::marker::PhantomData;

use diesel::{
    QueryResult,
    backend::Backend,
    expression::{AppearsOnTable, Expression, SelectableExpression, TypedExpressionType, ValidGrouping, is_aggregate},
    query_builder::{AstPass, QueryFragment, QueryId},
    serialize::ToSql,
    sql_types::{Bool, HasSqlType, Text},
};

use super::Conn;

/// SQL whose text is one of few, never a person's.
#[derive(Clone, Debug)]
pub struct Worded<ST> {
    text: String,
    sql_type: PhantomData<ST>,
}

/// SQL of this type, as it stands.
pub fn worded<ST>(text: impl Into<String>) -> Worded<ST> {
    Worded { text: text.into(), sql_type: PhantomData }
}

impl<ST: TypedExpressionType> Expression for Worded<ST> {
    type SqlType = ST;
}
impl<ST> QueryId for Worded<ST> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl<DB: Backend, ST> QueryFragment<DB> for Worded<ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(&self.text);
        Ok(())
    }
}
impl<QS, ST> AppearsOnTable<QS> for Worded<ST> where Self: Expression {}
impl<QS, ST> SelectableExpression<QS> for Worded<ST> where Self: Expression {}
impl<GB, ST> ValidGrouping<GB> for Worded<ST> {
    type IsAggregate = is_aggregate::Never;
}

/// `column IN (...)` with all values in one parameter, so that one prepared statement serves a list of any length.
#[derive(Clone, Debug)]
pub struct Among {
    column: &'static str,
    open: &'static str,
    close: &'static str,
    values: String,
}

/// Is the column's text among these? `column` is the program's own, with its table.
pub fn among(conn: &Conn, column: &'static str, values: &[impl serde::Serialize]) -> Among {
    let (open, close) = match conn {
        Conn::Sqlite(_) => (" IN (SELECT value FROM json_each(", "))"),
        Conn::Pg(_) => (" IN (SELECT json_array_elements_text(", "::json))"),
    };
    // Ids are plain text: this cannot fail, and an empty list finds nothing.
    let values = serde_json::to_string(values).unwrap_or_else(|_| "[]".to_owned());
    Among { column, open, close, values }
}

impl Expression for Among {
    type SqlType = Bool;
}
impl QueryId for Among {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl<DB> QueryFragment<DB> for Among
where
    DB: Backend + HasSqlType<Text>,
    String: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(self.column);
        out.push_sql(self.open);
        out.push_bind_param::<Text, String>(&self.values)?;
        out.push_sql(self.close);
        Ok(())
    }
}
impl<QS> AppearsOnTable<QS> for Among {}
impl<QS> SelectableExpression<QS> for Among {}
impl<GB> ValidGrouping<GB> for Among {
    type IsAggregate = is_aggregate::Never;
}

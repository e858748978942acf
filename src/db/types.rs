//! Column types both databases share: ids, choices, dates and measured values as text.

/// Makes `$name` a text column type. The inner value is borrowed, so one implementation serves every backend.
macro_rules! text_column {
    ($name:ty) => {
        impl<DB: diesel::backend::Backend> diesel::deserialize::FromSql<diesel::sql_types::Text, DB> for $name
        where
            String: diesel::deserialize::FromSql<diesel::sql_types::Text, DB>,
        {
            fn from_sql(raw: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                let text = <String as diesel::deserialize::FromSql<diesel::sql_types::Text, DB>>::from_sql(raw)?;
                <$name>::from_column(text).map_err(Into::into)
            }
        }
        impl<DB: diesel::backend::Backend> diesel::serialize::ToSql<diesel::sql_types::Text, DB> for $name
        where
            str: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
                <str as diesel::serialize::ToSql<diesel::sql_types::Text, DB>>::to_sql(self.as_str(), out)
            }
        }
    };
}
pub(crate) use text_column;

/// A `UUIDv7` as text, of one sort: a record's id cannot be passed where a patient's is wanted.
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
            diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Text)]
        #[serde(transparent)]
        pub struct $name(String);
        impl $name {
            pub fn new() -> Self { Self(uuid::Uuid::now_v7().to_string()) }
            pub fn as_str(&self) -> &str { &self.0 }
            /// Any text up to 64 characters: whether such an id exists is the database's answer.
            pub fn parse(text: &str) -> Option<Self> {
                let fits = !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                fits.then(|| Self(text.to_owned()))
            }
            fn from_column(text: String) -> Result<Self, String> { Ok(Self(text)) }
        }
        impl Default for $name { fn default() -> Self { Self::new() } }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }
        $crate::db::types::text_column!($name);
    )+ };
}
id!(
    UserId,
    HouseholdId,
    PatientId,
    RecordId,
    PractitionerId,
    PracticeId,
    PharmacyId,
    TagId,
    SessionId,
    TokenId,
    ImportId,
    ShareId,
    InvitationId,
    LinkId,
    FileId
);

/// A fixed set of words kept as text. The first one is what a new form proposes only if the field says so.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Text)]
        pub enum $name { $($variant),+ }
        impl $name {
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            pub const fn as_str(&self) -> &'static str { match self { $(Self::$variant => $word),+ } }
            pub fn parse(word: &str) -> Option<Self> { match word { $($word => Some(Self::$variant),)+ _ => None } }
            fn from_column(text: String) -> Result<Self, String> {
                Self::parse(&text).ok_or_else(|| format!("unknown {} in the database", stringify!($name)))
            }
        }
        $crate::db::types::text_column!($name);
        impl $crate::records::field::Choice for $name {
            const SET: &'static str = stringify!($name);
            const ALL: &'static [&'static str] = Self::WORDS;
            fn word(self) -> &'static str { self.as_str() }
            fn of(word: &str) -> Option<Self> { Self::parse(word) }
        }
    };
}
pub(crate) use choice;

/// What `AsExpression` and `FromSqlRow` derive, for text types defined where no database is known.
macro_rules! text_expression {
    ($name:ty) => {
        text_expression!(@ $name, diesel::sql_types::Text);
        text_expression!(@ $name, diesel::sql_types::Nullable<diesel::sql_types::Text>);
        impl<DB, ST> diesel::deserialize::Queryable<ST, DB> for $name
        where
            DB: diesel::backend::Backend,
            ST: diesel::sql_types::SingleValue,
            Self: diesel::deserialize::FromSql<ST, DB>,
        {
            type Row = Self;
            fn build(row: Self) -> diesel::deserialize::Result<Self> { Ok(row) }
        }
        impl<DB> diesel::serialize::ToSql<diesel::sql_types::Nullable<diesel::sql_types::Text>, DB> for $name
        where
            DB: diesel::backend::Backend,
            Self: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
                <Self as diesel::serialize::ToSql<diesel::sql_types::Text, DB>>::to_sql(self, out)
            }
        }
        text_column!($name);
    };
    (@ $name:ty, $sql:ty) => {
        impl diesel::expression::AsExpression<$sql> for $name {
            type Expression = diesel::internal::derives::as_expression::Bound<$sql, Self>;
            fn as_expression(self) -> Self::Expression { diesel::internal::derives::as_expression::Bound::new(self) }
        }
        impl<'e> diesel::expression::AsExpression<$sql> for &'e $name {
            type Expression = diesel::internal::derives::as_expression::Bound<$sql, Self>;
            fn as_expression(self) -> Self::Expression { diesel::internal::derives::as_expression::Bound::new(self) }
        }
    };
}

trait FromColumn: Sized {
    fn from_column(text: String) -> Result<Self, String>;
}
impl FromColumn for crate::dates::PartialDate {
    fn from_column(text: String) -> Result<Self, String> {
        Self::try_from(text).map_err(|_| "no date in a date column".to_owned())
    }
}
impl FromColumn for crate::measured::Measured {
    fn from_column(text: String) -> Result<Self, String> {
        Self::try_from(text).map_err(|_| "no number in a measured column".to_owned())
    }
}
text_expression!(crate::dates::PartialDate);
text_expression!(crate::measured::Measured);

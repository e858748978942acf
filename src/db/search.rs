//! The one search index, and the only place where the two databases differ: FTS5 here, tsvector there, the same token stream for both.

use diesel::{
    RunQueryDsl,
    sql_types::{BigInt, Text},
};

use super::{
    Conn, Tx,
    types::{PatientId, RecordId},
};
use crate::{error::Result, text::words};

/// More hits than anybody reads; the newest entries come first.
const MOST: i64 = 400;

#[derive(diesel::QueryableByName)]
struct Hit {
    #[diesel(sql_type = Text)]
    record_id: RecordId,
}

/// The patient as a word no person types.
fn patient_word(patient: &PatientId) -> String {
    format!("p{}", patient.as_str().replace('-', "").to_lowercase())
}

/// Puts a record's text into the index, in place of what was there.
pub fn put(tx: &mut Tx<'_>, patient: &PatientId, record: &RecordId, text: &str) -> Result<()> {
    // The entry's removal takes the words with it (trigger); a new row id never names old words.
    remove(tx, record)?;
    add(tx, patient, record, text)
}

/// Puts a new record's text into the index. SQLite writes its index out before every removal, so an import is quicker without any.
pub fn add(tx: &mut Tx<'_>, patient: &PatientId, record: &RecordId, text: &str) -> Result<()> {
    let mut all = words(text);
    all.push(patient_word(patient));
    let stream = all.join(" ");
    match &mut **tx {
        Conn::Sqlite(c) => {
            diesel::sql_query("INSERT INTO search_entries (record_id, patient_id) VALUES ($1, $2)")
                .bind::<Text, _>(record)
                .bind::<Text, _>(patient)
                .execute(c)?;
            // The entry's own number, asked for before the row goes into the index's own tables.
            diesel::sql_query("INSERT INTO search_words (rowid, words) VALUES (last_insert_rowid(), $1)")
                .bind::<Text, _>(stream)
                .execute(c)?;
        }
        Conn::Pg(c) => {
            diesel::sql_query(
                "INSERT INTO search_entries (record_id, patient_id, words) VALUES ($1, $2, array_to_tsvector(string_to_array($3, ' '))) \
                 ON CONFLICT (record_id) DO UPDATE SET words = EXCLUDED.words",
            )
            .bind::<Text, _>(record)
            .bind::<Text, _>(patient)
            .bind::<Text, _>(stream)
            .execute(c)?;
        }
    }
    Ok(())
}

/// Takes a record out of the index.
pub fn remove(tx: &mut Tx<'_>, record: &RecordId) -> Result<()> {
    diesel::sql_query("DELETE FROM search_entries WHERE record_id = $1").bind::<Text, _>(record).execute(&mut **tx)?;
    Ok(())
}

/// Records of these patients in which every word of the query begins some word. Not yet filtered by access: callers load through it.
pub fn find(conn: &mut Conn, patients: &[&PatientId], query: &str) -> Result<Vec<RecordId>> {
    let wanted = words(query);
    if wanted.is_empty() || patients.is_empty() {
        return Ok(Vec::new());
    }
    // Words are letters and digits only, so neither query language can be broken out of.
    let charts: Vec<String> = patients.iter().map(|p| patient_word(p)).collect();
    let hits: Vec<Hit> = match conn {
        Conn::Sqlite(c) => {
            let prefixes: Vec<String> = wanted.iter().map(|word| format!("{word}*")).collect();
            let query = format!("({}) AND {}", charts.join(" OR "), prefixes.join(" AND "));
            diesel::sql_query(
                "SELECT e.record_id FROM (SELECT rowid AS id FROM search_words WHERE search_words MATCH $1 ORDER BY rowid DESC LIMIT $2) w \
                 JOIN search_entries e ON e.id = w.id",
            )
            .bind::<Text, _>(query)
            .bind::<BigInt, _>(MOST)
            .load(c)?
        }
        Conn::Pg(c) => {
            let prefixes: Vec<String> = wanted.iter().map(|word| format!("{word}:*")).collect();
            let query = format!("({}) & {}", charts.join(" | "), prefixes.join(" & "));
            diesel::sql_query("SELECT record_id FROM search_entries WHERE words @@ $1::tsquery ORDER BY record_id DESC LIMIT $2")
                .bind::<Text, _>(query)
                .bind::<BigInt, _>(MOST)
                .load(c)?
        }
    };
    Ok(hits.into_iter().map(|hit| hit.record_id).collect())
}

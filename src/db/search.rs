//! The search indexes of records, of patients' documents and of households' own documents, and the only place where the two databases differ:
//! FTS5 here, tsvector there, the same token stream for both.

use diesel::{
    RunQueryDsl,
    sql_types::{BigInt, Text},
};

use super::{
    Conn, Tx,
    types::{FileId, HouseholdId, PatientId, RecordId},
};
use crate::{error::Result, text::words};

/// More hits than anybody reads; the newest entries come first.
const MOST: i64 = 400;

#[derive(diesel::QueryableByName)]
struct Hit {
    #[diesel(sql_type = Text)]
    found: String,
}

/// An index: its tables, what its entries are called by, and the column of whose they are.
struct Index {
    entries: &'static str,
    words: &'static str,
    key: &'static str,
    of: &'static str,
}

const RECORDS: Index = Index { entries: "search_entries", words: "search_words", key: "record_id", of: "patient_id" };
const FILES: Index = Index { entries: "file_search_entries", words: "file_search_words", key: "file_id", of: "patient_id" };
/// Documents that are a household's own.
const SHELVES: Index = Index { entries: "shelf_search_entries", words: "shelf_search_words", key: "file_id", of: "household_id" };
/// `PostgreSQL` keeps at most a megabyte of words an entry, in bytes.
const MOST_WORDS: usize = 800_000;

/// Puts a record's text into the index, in place of what was there.
pub fn put(tx: &mut Tx<'_>, patient: &PatientId, record: &RecordId, text: &str) -> Result<()> {
    // The entry's removal takes the words with it (trigger); a new row id never names old words.
    remove(tx, record)?;
    add(tx, patient, record, text)
}

/// Puts a new record's text into the index. SQLite writes its index out before every removal, so an import is quicker without any.
pub fn add(tx: &mut Tx<'_>, patient: &PatientId, record: &RecordId, text: &str) -> Result<()> {
    RECORDS.add(tx, patient.as_str(), record.as_str(), text)
}

/// Takes a record out of the index.
pub fn remove(tx: &mut Tx<'_>, record: &RecordId) -> Result<()> {
    RECORDS.remove(tx, record.as_str())
}

/// Records of these patients in which every word of the query begins some word. Not yet filtered by access: callers load through it.
pub fn find(conn: &mut Conn, patients: &[&PatientId], query: &str) -> Result<Vec<RecordId>> {
    let patients: Vec<&str> = patients.iter().map(|id| id.as_str()).collect();
    Ok(RECORDS.find(conn, &patients, query)?.iter().filter_map(|id| RecordId::parse(id)).collect())
}

/// Puts a document's text into the index, in place of what was there; the words too many of a very long one are left out.
pub fn put_file(tx: &mut Tx<'_>, patient: &PatientId, file: &FileId, text: &str) -> Result<()> {
    // One that was filed is no longer the household's.
    SHELVES.remove(tx, file.as_str())?;
    FILES.remove(tx, file.as_str())?;
    FILES.add(tx, patient.as_str(), file.as_str(), text)
}

/// The same for a document of the household's own.
pub fn put_shelved(tx: &mut Tx<'_>, household: &HouseholdId, file: &FileId, text: &str) -> Result<()> {
    SHELVES.remove(tx, file.as_str())?;
    SHELVES.add(tx, household.as_str(), file.as_str(), text)
}

/// A document of no patient that has no entry, perhaps; as a condition on `files`.
pub const NOT_SHELVED: &str = "files.patient_id IS NULL AND NOT EXISTS (SELECT 1 FROM shelf_search_entries s WHERE s.file_id = files.id)";

/// Documents of these patients in which every word of the query begins some word. Not yet filtered by access.
pub fn find_files(conn: &mut Conn, patients: &[&PatientId], query: &str) -> Result<Vec<FileId>> {
    let patients: Vec<&str> = patients.iter().map(|id| id.as_str()).collect();
    Ok(FILES.find(conn, &patients, query)?.iter().filter_map(|id| FileId::parse(id)).collect())
}

/// Documents of these households' own in which every word of the query begins some word. Not yet filtered by who may see them.
pub fn find_shelved(conn: &mut Conn, households: &[HouseholdId], query: &str) -> Result<Vec<FileId>> {
    let households: Vec<&str> = households.iter().map(HouseholdId::as_str).collect();
    Ok(SHELVES.find(conn, &households, query)?.iter().filter_map(|id| FileId::parse(id)).collect())
}

impl Index {
    /// Whose it is, as a word no person types: `patient_id` begins with p, `household_id` with h.
    fn owner_word(&self, id: &str) -> String {
        let letter = self.of.chars().next().unwrap_or_default();
        format!("{letter}{}", id.replace('-', "").to_lowercase())
    }

    fn add(&self, tx: &mut Tx<'_>, owner: &str, entry: &str, text: &str) -> Result<()> {
        let Self { entries, words: table, key, of } = self;
        let mut stream = self.owner_word(owner);
        for word in words(text) {
            if stream.len() + word.len() >= MOST_WORDS {
                break;
            }
            stream.push(' ');
            stream.push_str(&word);
        }
        match &mut **tx {
            Conn::Sqlite(c) => {
                diesel::sql_query(format!("INSERT INTO {entries} ({key}, {of}) VALUES ($1, $2)"))
                    .bind::<Text, _>(entry)
                    .bind::<Text, _>(owner)
                    .execute(c)?;
                // The entry's own number, asked for before the row goes into the index's own tables.
                diesel::sql_query(format!("INSERT INTO {table} (rowid, words) VALUES (last_insert_rowid(), $1)"))
                    .bind::<Text, _>(stream)
                    .execute(c)?;
            }
            Conn::Pg(c) => {
                diesel::sql_query(format!(
                    "INSERT INTO {entries} ({key}, {of}, words) VALUES ($1, $2, array_to_tsvector(string_to_array($3, ' '))) \
                     ON CONFLICT ({key}) DO UPDATE SET words = EXCLUDED.words"
                ))
                .bind::<Text, _>(entry)
                .bind::<Text, _>(owner)
                .bind::<Text, _>(stream)
                .execute(c)?;
            }
        }
        Ok(())
    }

    fn remove(&self, tx: &mut Tx<'_>, entry: &str) -> Result<()> {
        let Self { entries, key, .. } = self;
        diesel::sql_query(format!("DELETE FROM {entries} WHERE {key} = $1")).bind::<Text, _>(entry).execute(&mut **tx)?;
        Ok(())
    }

    fn find(&self, conn: &mut Conn, owners: &[&str], query: &str) -> Result<Vec<String>> {
        let wanted = words(query);
        if wanted.is_empty() || owners.is_empty() {
            return Ok(Vec::new());
        }
        let Self { entries, words: table, key, .. } = self;
        // Words are letters and digits only, so neither query language can be broken out of.
        let charts: Vec<String> = owners.iter().map(|owner| self.owner_word(owner)).collect();
        let hits: Vec<Hit> = match conn {
            Conn::Sqlite(c) => {
                let prefixes: Vec<String> = wanted.iter().map(|word| format!("{word}*")).collect();
                let query = format!("({}) AND {}", charts.join(" OR "), prefixes.join(" AND "));
                diesel::sql_query(format!(
                    "SELECT e.{key} AS found FROM (SELECT rowid AS id FROM {table} WHERE {table} MATCH $1 ORDER BY rowid DESC LIMIT $2) w \
                     JOIN {entries} e ON e.id = w.id"
                ))
                .bind::<Text, _>(query)
                .bind::<BigInt, _>(MOST)
                .load(c)?
            }
            Conn::Pg(c) => {
                let prefixes: Vec<String> = wanted.iter().map(|word| format!("{word}:*")).collect();
                let query = format!("({}) & {}", charts.join(" | "), prefixes.join(" & "));
                diesel::sql_query(format!("SELECT {key} AS found FROM {entries} WHERE words @@ $1::tsquery ORDER BY {key} DESC LIMIT $2"))
                    .bind::<Text, _>(query)
                    .bind::<BigInt, _>(MOST)
                    .load(c)?
            }
        };
        Ok(hits.into_iter().map(|hit| hit.found).collect())
    }
}

//! Events as a file for a spreadsheet: a row an event, no cell a formula.

use actix_web::{HttpResponse, http::header};

use crate::{
    error::{Error, Result},
    records::export,
};

/// The file's bytes.
pub fn written<const N: usize>(columns: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| Error::Internal(format!("csv: {error}"));
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(export::BYTE_ORDER_MARK.to_vec());
    writer.write_record(columns).map_err(failed)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| export::defused(cell))).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| Error::Internal(format!("csv: {}", error.error())))
}

pub fn answer(name: &str, bytes: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"))
        .insert_header((header::CONTENT_DISPOSITION, export::disposition(name)))
        .body(bytes)
}

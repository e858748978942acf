//! Every migration goes up, down and up again, and leaves nothing behind.

use diesel::{RunQueryDsl, sql_types::Text};
use kinchart::db::{Db, revert_all};

use crate::common::{TestApp, TestDatabase, on_postgres};

#[derive(diesel::QueryableByName, Debug, PartialEq)]
struct Named {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Tables, indexes and triggers that are ours.
fn things(db: &Db) -> Vec<String> {
    let text = if on_postgres() {
        "SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_\\_diesel%' ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_diesel%' ESCAPE '\\' ORDER BY 1"
    };
    db.read(|conn| Ok(diesel::sql_query(text).load::<Named>(conn)?)).unwrap().into_iter().map(|n| n.name).collect()
}

#[test]
fn up_down_and_up_again() {
    let database = TestDatabase::empty();
    let (url, create) = (database.url(), !on_postgres());
    let first = {
        let db = Db::open(&url, create, 1).unwrap();
        things(&db)
    };
    assert!(first.iter().any(|name| name == "records"), "{first:?}");
    assert!(revert_all(&url).unwrap() >= 3);
    // `Db::open` would migrate again; the bare connection looks.
    assert_eq!(bare(&url), Vec::<String>::new(), "a down leaves something behind");
    let again = things(&Db::open(&url, create, 1).unwrap());
    assert_eq!(first, again);
}

fn bare(url: &str) -> Vec<String> {
    use diesel::Connection;
    let names: Vec<Named> = if on_postgres() {
        let mut conn = diesel::PgConnection::establish(url).unwrap();
        diesel::sql_query(
            "SELECT relname::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_\\_diesel%'",
        )
        .load(&mut conn)
        .unwrap()
    } else {
        let mut conn = diesel::SqliteConnection::establish(url.trim_start_matches("sqlite:")).unwrap();
        diesel::sql_query("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_diesel%' ESCAPE '\\'")
            .load(&mut conn)
            .unwrap()
    };
    names.into_iter().map(|n| n.name).collect()
}

#[actix_web::test]
async fn opening_twice_changes_nothing_and_several_at_once_agree() {
    let database = TestDatabase::empty();
    let url = database.url();
    let create = !on_postgres();
    drop(Db::open(&url, create, 1).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| Db::open(&url, create, 1).unwrap());
        }
    });
    let t = TestApp::new().await;
    t.anon().get("/nowhere").await.is(404);
}

/// The number column beside each measured column, the table and the columns of each field: what a kind says is in the database.
#[test]
fn every_field_of_every_kind_has_its_column() {
    let database = TestDatabase::migrated();
    let db = Db::open(&database.url(), false, 1).unwrap();
    for kind in kinchart::records::kinds() {
        let own = kind.fields.iter().map(|f| (kind.table, *f));
        let children = kind.children.iter().flat_map(|c| c.fields.iter().map(|f| (c.table, *f)));
        for (table, spec) in own.chain(children) {
            if spec.place != kinchart::records::field::Place::Detail {
                continue;
            }
            let number = if spec.is_measured() { format!(", {}_number", spec.name) } else { String::new() };
            let text = format!("SELECT {}{number} FROM {table} WHERE 1 = 0", spec.name);
            let result = db.read(|conn| Ok(diesel::sql_query(&text).execute(conn)?));
            assert!(result.is_ok(), "{text}: {:?}", result.err());
        }
    }
}

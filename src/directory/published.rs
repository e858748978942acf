//! Entries published to everybody on the installation, over all three lists.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::{
    db::{
        Conn, Tx,
        schema::{household_members, households, pharmacies, practices, practitioners},
        types::{HouseholdId, PharmacyId, PracticeId, PractitionerId, UserId},
    },
    error::{Error, Result},
};

/// An entry, with the household it belongs to.
#[derive(Clone, Debug)]
pub struct Published {
    pub list: &'static str,
    pub id: String,
    pub name: String,
    pub household: String,
}

/// The same of each list.
macro_rules! each_list {
    ($one:ident) => {
        $one!(practitioners, PractitionerId, "practitioners");
        $one!(practices, PracticeId, "practices");
        $one!(pharmacies, PharmacyId, "pharmacies");
    };
}

fn mine(conn: &mut Conn, user: &UserId) -> Result<Vec<HouseholdId>> {
    Ok(household_members::table.filter(household_members::user_id.eq(user)).select(household_members::household_id).load(conn)?)
}

fn load(conn: &mut Conn, is_published: bool, of: Option<Vec<HouseholdId>>) -> Result<Vec<Published>> {
    let mut all = Vec::new();
    macro_rules! add {
        ($table:ident, $id:ty, $list:literal) => {
            let mut query = $table::table
                .inner_join(households::table.on(households::id.eq($table::household_id)))
                .filter($table::is_published.eq(is_published))
                .order(($table::name, $table::id))
                .select(($table::id, $table::name, households::name))
                .into_boxed();
            if let Some(of) = &of {
                query = query.filter($table::household_id.eq_any(of.clone()));
            }
            let rows: Vec<($id, Option<String>, String)> = query.load(conn)?;
            all.extend(rows.into_iter().map(|(id, name, household)| Published {
                list: $list,
                id: id.to_string(),
                name: name.unwrap_or_default(),
                household,
            }));
        };
    }
    each_list!(add);
    Ok(all)
}

pub fn all(conn: &mut Conn) -> Result<Vec<Published>> {
    load(conn, true, None)
}

/// The entries of a person's households that are not published.
pub fn to_publish(conn: &mut Conn, user: &UserId) -> Result<Vec<Published>> {
    let of = mine(conn, user)?;
    load(conn, false, Some(of))
}

/// Publishes an entry of the person's households, or takes anybody's back. What records name stays named.
pub fn set(tx: &mut Tx<'_>, user: &UserId, list: &str, id: &str, publish: bool, now: NaiveDateTime) -> Result<()> {
    let of = mine(tx, user)?;
    macro_rules! put {
        ($table:ident, $id:ty, $list:literal) => {
            if list == $list {
                let id = <$id>::parse(id).ok_or(Error::NotFound)?;
                let household: Option<HouseholdId> = $table::table.find(&id).select($table::household_id).first(&mut **tx).optional()?;
                let household = household.ok_or(Error::NotFound)?;
                if publish && !of.contains(&household) {
                    return Err(Error::NotFound);
                }
                diesel::update($table::table.find(&id))
                    .set(($table::is_published.eq(publish), $table::updated_at.eq(now)))
                    .execute(&mut **tx)?;
                return Ok(());
            }
        };
    }
    each_list!(put);
    Err(Error::NotFound)
}

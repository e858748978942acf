//! Equipment: devices and aids somebody was given, worn, implanted or lent.

use super::{Context, Entry, Group, NoChild, Record, column, columns, head, statements};
use crate::{
    dates::{PartialDate, end_before_start},
    db::types::choice,
    records::field::{Errors, Field, ask},
};

choice!(EquipmentStatus { Active = "active", Inactive = "inactive", Returned = "returned", Lost = "lost" });

columns! {
    Equipment in equipment {
        equipment_name: String,
        equipment_type: String,
        manufacturer: String,
        model_number: String,
        serial_number: String,
        prescribed_date: PartialDate,
        last_service_date: PartialDate,
        next_service_date: PartialDate,
        usage_instructions: String,
        supplier: String,
    }
}

impl Record for Equipment {
    const KIND: &'static str = "equipment";
    const GROUP: Group = Group::Care;
    const OCCURRED: &'static [&'static str] = &["prescribed_date"];
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(equipment_name).required().list(),
        column!(equipment_type).list(),
        column!(prescribed_date).list(),
        head::status::<Self, EquipmentStatus>().preset("active"),
        column!(supplier).list(),
        column!(last_service_date),
        column!(next_service_date).list().future(),
        column!(usage_instructions).long(),
        head::practitioner().more(),
        column!(manufacturer).more(),
        column!(model_number).more(),
        column!(serial_number).more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.equipment_name.clone().unwrap_or_default()
    }

    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        if let (Some(last), Some(next)) = (&entry.body.last_service_date, &entry.body.next_service_date)
            && context.strict
            && end_before_start(last, next)
        {
            ask(errors, "next_service_date", "error.next_before_last");
        }
    }
    statements!(equipment);
}

#[cfg(test)]
mod tests {
    use crate::records::testing::told;

    #[test]
    fn the_next_service_comes_after_the_last() {
        let pump = |next| {
            told("equipment", &[("equipment_name", "Insulin pump"), ("last_service_date", "2026-02-01"), ("next_service_date", next)], &[])
        };
        assert_eq!(pump("2026-01-31").wrong(), [("next_service_date", "error.next_before_last")]);
        assert!(pump("2027-02").errors.is_empty());
    }
}

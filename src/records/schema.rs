//! The header of a record and what hangs on it: private to `records`, so that every query of them passes `Chart`.

diesel::table! {
    records (id) {
        id -> Text,
        patient_id -> Text,
        kind -> Text,
        title -> Text,
        occurred_on -> Nullable<Text>,
        ended_on -> Nullable<Text>,
        status -> Nullable<Text>,
        practitioner_id -> Nullable<Text>,
        sensitivity -> Text,
        notes -> Nullable<Text>,
        source -> Text,
        version -> Integer,
        created_by -> Nullable<Text>,
        created_at -> Timestamp,
        updated_by -> Nullable<Text>,
        updated_at -> Timestamp,
        deleted_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    record_versions (record_id, version) {
        record_id -> Text,
        version -> Integer,
        action -> Text,
        actor -> Text,
        actor_name -> Text,
        source -> Text,
        at -> Timestamp,
        snapshot -> Text,
    }
}

diesel::table! {
    record_links (from_id, relation, to_id) {
        patient_id -> Text,
        from_id -> Text,
        to_id -> Text,
        relation -> Text,
        relevance_note -> Nullable<Text>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    record_tags (record_id, tag_id) {
        patient_id -> Text,
        record_id -> Text,
        tag_id -> Text,
    }
}

diesel::table! {
    record_codes (record_id, position) {
        record_id -> Text,
        position -> Integer,
        system -> Text,
        code -> Text,
        display -> Nullable<Text>,
    }
}

diesel::table! {
    record_origins (record_id) {
        record_id -> Text,
        patient_id -> Text,
        source_key -> Text,
        resource_type -> Text,
        fingerprint -> Text,
        told -> Text,
        original -> Text,
        imported_at -> Timestamp,
    }
}

diesel::table! {
    import_offers (record_id, field) {
        record_id -> Text,
        field -> Text,
        value -> Text,
        offered_at -> Timestamp,
    }
}

diesel::table! {
    imported_leftovers (patient_id, source_key) {
        patient_id -> Text,
        source_key -> Text,
        resource_type -> Text,
        reason -> Text,
        fingerprint -> Text,
        original -> Text,
        imported_at -> Timestamp,
    }
}

diesel::table! {
    import_stages (id) {
        id -> Text,
        touched_at -> Timestamp,
    }
}

diesel::table! {
    import_staged (stage_id, sort, id) {
        stage_id -> Text,
        sort -> Text,
        id -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    records,
    record_versions,
    record_links,
    record_tags,
    record_codes,
    record_origins,
    import_offers,
    imported_leftovers,
    import_staged
);

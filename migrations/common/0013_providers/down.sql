DROP TABLE sign_in_steps;
DROP TABLE user_identities;

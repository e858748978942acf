//! Sign-in by way of an OpenID provider: what does not hold lets nobody in, and what holds lets in who it should.

mod accounts;
mod forged;
mod house;
mod leaving;
mod provider;
mod server;

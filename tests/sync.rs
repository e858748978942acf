//! Documents on their way to a Paperless-ngx, by every fault that two real servers and the way to them have shown: nothing is lost, nothing is
//! there twice, and what is wrong is a state that a person understands.

mod faults;
mod house;
mod middle;
mod pages;
mod servers;
mod theirs;
mod twins;
mod ways;

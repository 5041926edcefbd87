//! The examples do what they say.

mod blocking;
mod over_tokio;
mod small_chats;

//! The web page, by its API.

mod renders; // scenes on the web page
mod serve; // the web page: its API, who may use it, uploads within limits, restarts
mod watch; // the web page: outputs that are watched, their pictures, and what may be read

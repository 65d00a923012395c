//! S3, and the contract that every kind of storage fulfils.

mod credentials; // the sources of credentials and the region
mod endless; // responses without end
mod failures; // permanent failures of S3: exit codes and messages
mod fault_rates; // a percentage of all S3 requests fails: every frame is right, or exit code 75
mod parts; // large objects in parts
mod recovery; // temporary failures of S3
mod requests; // keys, requests, regions and TLS on S3
mod server_checksums; // the S3 server of the tests: checksums of multipart uploads
mod server_faults; // the S3 server of the tests: faults of uploads, faults at random
mod server_itself; // the S3 server of the tests: everything else
mod storage; // one contract for every kind of location

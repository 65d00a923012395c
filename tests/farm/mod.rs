//! Many jobs at once: on AWS Batch and on other schedulers.

mod download; // what jobs store comes to this machine while they are followed
mod job_logs; // the logs of jobs, from CloudWatch Logs
mod resubmit; // jobs on AWS Batch: cancelled, retried, and submitted for missing frames only
mod schedulers; // the children of array jobs on AWS Batch, Kubernetes, Slurm and Google Cloud
mod slices; // how submit deals frames among children: as many as fit, or one by one
mod start_jitter; // workers that start together spread their first requests
mod status; // jobs on AWS Batch: their state, their failures, waiting for their end
mod submit; // jobs for AWS Batch: the requests, and the video that they lead to
mod submit_project; // a scene of this machine is packed, then submitted

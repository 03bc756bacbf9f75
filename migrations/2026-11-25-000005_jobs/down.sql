DROP TABLE job_queues, job_attempts, jobs;
DROP SEQUENCE job_leases;

-- What live certificates accept: such a sample is not served, but for a random floor. When none of its
-- certificates holds any longer the sample goes back to people; the row stays and says so.
create table acceptances (
    sample_id uuid primary key references samples (id),
    -- The judge's verdict on the whole sample, which stands alone.
    pass boolean not null,
    judge text not null references judges (name),
    accepted_at timestamptz not null default now(),
    reopened_at timestamptz
);
create table acceptance_certificates (
    certificate_id uuid not null references certificates (id),
    sample_id uuid not null references acceptances (sample_id),
    primary key (certificate_id, sample_id)
);
create index acceptance_certificates_sample on acceptance_certificates (sample_id);

-- What a person holds is looked up at every request for samples; by their other indexes that reads all they ever did.
create index assignments_held on assignments (account_id, created_at, id) where state = 'leased';

-- Who an account is at an OpenID Connect provider: the pair of issuer and subject never passes to somebody else, an
-- e-mail address may. An account is found by its address once, and from then on by this; a second person who comes
-- with the address of the first is refused.
create table identities (
    issuer text not null check (char_length(issuer) between 1 and 2000),
    subject text not null check (char_length(subject) between 1 and 255),
    account_id uuid not null references accounts (id),
    created_at timestamptz not null default now(),
    primary key (issuer, subject),
    unique (account_id, issuer)
);

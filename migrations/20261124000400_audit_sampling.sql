-- A judged sample of the audit half is looked at by people with a known probability, by what its judge says of
-- the whole sample. Estimates weigh by 1/π, so the draw is stored with the sample and copied to whoever is
-- assigned it: what was not drawn is never in an audit estimate.
alter table programmes
    add column audit_rate_pass double precision not null default 1
        check (audit_rate_pass > 0 and audit_rate_pass <= 1),
    add column audit_rate_fail double precision not null default 1
        check (audit_rate_fail > 0 and audit_rate_fail <= 1),
    -- Share of what certificates accept that people look at all the same.
    add column audit_floor double precision not null default 0.05 check (audit_floor between 0.02 and 1),
    add column audit_seed bigint not null default 0;

alter table samples
    add column audit_pi double precision check (audit_pi > 0 and audit_pi <= 1),
    add column audit_drawn boolean,
    add constraint samples_draw check ((audit_pi is null) = (audit_drawn is null));

-- One number in [0, 1) a sample and seed: drawn are those below π. A higher π draws the same samples and more.
create function audit_number(sample uuid, seed bigint) returns double precision
    language sql immutable parallel safe as $$
    select (hashtextextended(sample::text, seed) & 9007199254740991)::double precision / 9007199254740992.0
$$;

-- The inclusion probability is that of the draw, whatever code assigns the sample. A sample that was not drawn
-- can be up for review (its certificate ended, a lead wants it looked at); its labels are then no audit.
create function take_draw() returns trigger language plpgsql as $$
declare
    draw record;
begin
    select audit_pi, audit_drawn into draw from samples where id = new.sample_id;
    if draw.audit_drawn then
        new.pi := draw.audit_pi;
    elsif not draw.audit_drawn then
        new.stream := 'learning';
    end if;
    return new;
end $$;
create trigger assignments_draw before insert on assignments
    for each row when (new.stream = 'audit') execute function take_draw();

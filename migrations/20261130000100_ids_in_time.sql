-- Ids of rows that one statement makes by the thousand, in the order of time (UUIDv7, RFC 9562 §6.2 method 3: a 4096th of a
-- millisecond after the version). Rows made together are then neighbours in every index on their ids, where random ids
-- put each look-up on a page of its own. One expression, so that it is inlined.
create function concord_uuid_v7() returns uuid language sql volatile parallel safe as $$
    select ('0' || overlay(to_hex((extract(epoch from clock_timestamp()) * 4096000)::bigint) placing '7' from 12 for 0)
            || substr(gen_random_uuid()::text, 20))::uuid
$$;

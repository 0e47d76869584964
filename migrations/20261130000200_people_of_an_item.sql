-- Who did something with an item: which things the same people use is read of it before interests are named.
create index behaviours_of_item on behaviours (item_id, user_id) where reliable and item_id is not null;

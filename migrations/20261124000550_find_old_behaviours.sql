-- The daily retention job finds behaviours by their age without reading the whole table. A block range is enough:
-- logs come nearly in the order of time.
create index behaviours_at on behaviours using brin (at);

-- Samples made elsewhere name what made them and what they rest on; the parent may come in a later file.
alter table samples add column generator text check (char_length(generator) between 1 and 256);
alter table samples add column parent_key text check (char_length(parent_key) between 1 and 256);

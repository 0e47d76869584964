-- How rare samples with several raters are cannot be seen in a column: the planner took a third of all for granted and read the whole table
-- to find a handful.
create statistics audit_references_several_raters on (cardinality(raters)) from audit_references;

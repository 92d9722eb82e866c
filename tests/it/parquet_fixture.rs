//! A Parquet table as HW-NAS-Bench-360 publishes it, with any columns.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

/// Values of one column.
pub(crate) enum Cells {
    Integers(Vec<i64>),
    Doubles(Vec<f64>),
    Texts(Vec<&'static str>),
}

/// Writes a table of these columns, compressed as upstream does it.
pub(crate) fn write_parquet(path: &Path, columns: &[(&str, Cells)]) {
    let field = |(name, cells): &(&str, Cells)| {
        let field = match cells {
            Cells::Integers(_) => Type::primitive_type_builder(name, Physical::INT64),
            Cells::Doubles(_) => Type::primitive_type_builder(name, Physical::DOUBLE),
            Cells::Texts(_) => {
                Type::primitive_type_builder(name, Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String))
            }
        };
        Arc::new(field.with_repetition(Repetition::REQUIRED).build().unwrap())
    };
    let schema = Type::group_type_builder("schema")
        .with_fields(columns.iter().map(field).collect())
        .build()
        .unwrap();
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (_, cells) in columns {
        let mut column = group.next_column().unwrap().unwrap();
        match (column.untyped(), cells) {
            (ColumnWriter::Int64ColumnWriter(writer), Cells::Integers(values)) => {
                writer.write_batch(values, None, None).unwrap();
            }
            (ColumnWriter::DoubleColumnWriter(writer), Cells::Doubles(values)) => {
                writer.write_batch(values, None, None).unwrap();
            }
            (ColumnWriter::ByteArrayColumnWriter(writer), Cells::Texts(values)) => {
                let values: Vec<ByteArray> = values.iter().map(|&text| text.into()).collect();
                writer.write_batch(&values, None, None).unwrap();
            }
            _ => unreachable!("a column is written as it was described"),
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

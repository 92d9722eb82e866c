//! Writing an ONNX graph, one operator or constant after the other.

use prost::Message;

use super::message::{
    AttributeProto, AttributeType, Dimension, ElementType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto, TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
};

/// Name of the graph's input.
pub(super) const INPUT: &str = "input";
/// Name of the graph's output.
pub(super) const OUTPUT: &str = "output";

/// The value of an attribute of an operator.
#[derive(Debug, Clone)]
pub(super) enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
}

/// Elements of a constant.
#[derive(Debug, Clone)]
pub(super) struct Elements {
    pub(super) kind: ElementType,
    /// Little-endian.
    pub(super) bytes: Vec<u8>,
}

impl Elements {
    pub(super) fn floats(values: &[f32]) -> Elements {
        Elements {
            kind: ElementType::Float,
            bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    pub(super) fn halves(values: &[f32]) -> Elements {
        Elements {
            kind: ElementType::Float16,
            bytes: (values
                .iter()
                .flat_map(|&value| half::f16::from_f32(value).to_le_bytes()))
            .collect(),
        }
    }

    pub(super) fn bytes(values: &[u8]) -> Elements {
        Elements {
            kind: ElementType::Uint8,
            bytes: values.to_vec(),
        }
    }

    /// Signed integers of 8 bits, as their bytes.
    pub(super) fn signed_bytes(bytes: Vec<u8>) -> Elements {
        Elements {
            kind: ElementType::Int8,
            bytes,
        }
    }

    pub(super) fn words(values: &[i32]) -> Elements {
        Elements {
            kind: ElementType::Int32,
            bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    /// Signed integers of 4 bits, the first of two in the lower half of its byte.
    pub(super) fn nibbles(values: &[i8]) -> Elements {
        let nibble = |value: &i8| *value as u8 & 0x0f;
        let bytes = values.chunks(2).map(|pair| match pair {
            [low, high] => nibble(low) | nibble(high) << 4,
            _ => pair.first().map_or(0, nibble),
        });
        Elements {
            kind: ElementType::Int4,
            bytes: bytes.collect(),
        }
    }

    pub(super) fn integers(values: &[i64]) -> Elements {
        Elements {
            kind: ElementType::Int64,
            bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }
}

/// A graph under construction.
#[derive(Debug, Default)]
pub(super) struct Graph {
    graph: GraphProto,
}

impl Graph {
    /// Appends an operator that gives the value `output`.
    pub(super) fn operator(&mut self, kind: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![output.to_string()],
            name: format!("{kind}:{output}"),
            op_type: kind.to_string(),
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        });
    }

    /// Adds a constant and gives its name. One of the same name is taken to be the same.
    pub(super) fn constant(&mut self, name: &str, dims: &[usize], elements: Elements) -> String {
        if !self.graph.initializer.iter().any(|tensor| tensor.name == name) {
            self.graph.initializer.push(TensorProto {
                dims: dims.iter().map(|&extent| extent as i64).collect(),
                data_type: elements.kind.into(),
                name: name.to_string(),
                raw_data: elements.bytes,
            });
        }
        name.to_string()
    }

    /// States type and shape of a value between operators.
    pub(super) fn describe(&mut self, name: &str, kind: ElementType, dims: &[usize]) {
        self.graph.value_info.push(value_info(name, kind, dims));
    }

    /// The finished file, with input and output of 32-bit floating point.
    pub(super) fn into_file(mut self, opset: Opset, input: &[usize], output: &[usize]) -> Vec<u8> {
        self.graph.name = "edgefit".into();
        self.graph.input = vec![value_info(INPUT, ElementType::Float, input)];
        self.graph.output = vec![value_info(OUTPUT, ElementType::Float, output)];
        let model = ModelProto {
            ir_version: opset.ir_version(),
            opset_import: vec![OperatorSetIdProto { version: opset.0 }],
            producer_name: "edgefit".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(self.graph),
        };
        model.encode_to_vec()
    }
}

/// A version of the set of operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opset(pub(super) i64);

impl Opset {
    /// The version of the file format that came with it (`docs/Versioning.md` of ONNX).
    fn ir_version(self) -> i64 {
        if self.0 >= 21 { 10 } else { 8 }
    }
}

fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let kind = match value {
        Attribute::Int(_) => AttributeType::Int,
        Attribute::Ints(_) => AttributeType::Ints,
        Attribute::Float(_) => AttributeType::Float,
    };
    let mut attribute = AttributeProto {
        name: name.to_string(),
        r#type: kind.into(),
        ..AttributeProto::default()
    };
    match value {
        Attribute::Int(value) => attribute.i = Some(*value),
        Attribute::Ints(values) => attribute.ints = values.clone(),
        Attribute::Float(value) => attribute.f = Some(*value),
    }
    attribute
}

fn value_info(name: &str, kind: ElementType, dims: &[usize]) -> ValueInfoProto {
    let dim = |&extent: &usize| Dimension {
        dim_value: Some(extent as i64),
    };
    let tensor_type = TensorType {
        elem_type: kind.into(),
        shape: Some(TensorShapeProto {
            dim: dims.iter().map(dim).collect(),
        }),
    };
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor_type),
        }),
    }
}
